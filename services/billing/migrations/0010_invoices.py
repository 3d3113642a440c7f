"""Invoices, credit notes, their numbers, and what is closed."""

from alembic import op

from chassis.database import schema

revision = "0010"
down_revision = "0009"

_LINE = """
    place integer NOT NULL,
    kind smallint NOT NULL,
    description text NOT NULL,
    team_id uuid,
    model text NOT NULL,
    cost_centre text NOT NULL,
    quantity bigint NOT NULL,
    exact_amount numeric NOT NULL,
    amount numeric NOT NULL"""

_TABLES = f"""
CREATE TABLE wrtn_invoices (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    state smallint NOT NULL CONSTRAINT wrtn_invoices_state_check CHECK (state BETWEEN 1 AND 5),
    number bigint,
    currency text NOT NULL,
    start_time timestamptz NOT NULL,
    end_time timestamptz NOT NULL,
    subtotal numeric NOT NULL,
    tax_rate numeric NOT NULL,
    tax numeric NOT NULL,
    total numeric NOT NULL,
    paid numeric NOT NULL,
    credited numeric NOT NULL,
    net_days integer NOT NULL,
    buyer bytea,
    finalize_time timestamptz,
    due_time timestamptz,
    pay_time timestamptz,
    close_time timestamptz,
    version bigint NOT NULL,
    create_time timestamptz NOT NULL,
    update_time timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT wrtn_invoices_end_check CHECK (end_time > start_time),
    CONSTRAINT wrtn_invoices_number_check CHECK ((state = 1) = (number IS NULL)),
    CONSTRAINT wrtn_invoices_due_check
        CHECK (least(paid, credited) >= 0 AND paid + credited <= greatest(total, 0))
);
CREATE UNIQUE INDEX wrtn_invoices_number_key ON wrtn_invoices (number);
CREATE UNIQUE INDEX wrtn_invoices_start_time_key ON wrtn_invoices (tenant_id, start_time) WHERE state <> 4;
CREATE INDEX wrtn_invoices_due_time_idx ON wrtn_invoices (due_time) WHERE state = 2;

CREATE TABLE wrtn_invoice_lines (
    tenant_id uuid NOT NULL,
    invoice_id uuid NOT NULL,{_LINE},
    PRIMARY KEY (tenant_id, invoice_id, place),
    FOREIGN KEY (tenant_id, invoice_id) REFERENCES wrtn_invoices
);

CREATE TABLE wrtn_credit_notes (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    number bigint NOT NULL,
    invoice_id uuid,
    currency text NOT NULL,
    subtotal numeric NOT NULL,
    tax numeric NOT NULL,
    total numeric NOT NULL,
    reason bytea NOT NULL,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, invoice_id) REFERENCES wrtn_invoices,
    CONSTRAINT wrtn_credit_notes_total_check CHECK (total > 0 AND tax >= 0)
);
CREATE UNIQUE INDEX wrtn_credit_notes_number_key ON wrtn_credit_notes (number);
CREATE INDEX wrtn_credit_notes_invoice_idx ON wrtn_credit_notes (tenant_id, invoice_id);

CREATE TABLE wrtn_credit_note_lines (
    tenant_id uuid NOT NULL,
    credit_note_id uuid NOT NULL,{_LINE},
    PRIMARY KEY (tenant_id, credit_note_id, place),
    FOREIGN KEY (tenant_id, credit_note_id) REFERENCES wrtn_credit_notes
);

CREATE TABLE wrtn_number_series (
    series text PRIMARY KEY,
    last_number bigint NOT NULL
);
INSERT INTO wrtn_number_series VALUES ('INV', 0), ('CN', 0);

CREATE TABLE wrtn_closings (
    tenant_id uuid PRIMARY KEY,
    end_time timestamptz NOT NULL
);

CREATE TABLE wrtn_late_usages (
    tenant_id uuid NOT NULL,
    history_id uuid NOT NULL,
    bill_time timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, history_id)
);
CREATE INDEX wrtn_late_usages_bill_time_idx ON wrtn_late_usages (tenant_id, bill_time);
"""  # noqa: S608

# What was sent to a customer stays as it was sent; what they paid and its state go on.
_IMMUTABLE = """
CREATE FUNCTION wrtn_refuse_change_of_invoice() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'invoices are never removed' USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.state <> 1 AND (NEW.state = 1 OR
        (to_jsonb(NEW) - '{state,paid,credited,pay_time,close_time,version,update_time}'::text[])
        <> (to_jsonb(OLD) - '{state,paid,credited,pay_time,close_time,version,update_time}'::text[])) THEN
        RAISE EXCEPTION 'a finalised invoice is not altered' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER wrtn_invoices_immutable BEFORE UPDATE OR DELETE ON wrtn_invoices
    FOR EACH ROW EXECUTE FUNCTION wrtn_refuse_change_of_invoice();
ALTER TABLE wrtn_invoices ENABLE ALWAYS TRIGGER wrtn_invoices_immutable;

CREATE FUNCTION wrtn_refuse_change_of_line() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    line wrtn_invoice_lines := CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
BEGIN
    IF EXISTS (SELECT FROM wrtn_invoices
               WHERE tenant_id = line.tenant_id AND id = line.invoice_id AND state <> 1) THEN
        RAISE EXCEPTION 'a finalised invoice is not altered' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN line;
END $$;
CREATE TRIGGER wrtn_invoice_lines_immutable BEFORE INSERT OR UPDATE OR DELETE ON wrtn_invoice_lines
    FOR EACH ROW EXECUTE FUNCTION wrtn_refuse_change_of_line();
ALTER TABLE wrtn_invoice_lines ENABLE ALWAYS TRIGGER wrtn_invoice_lines_immutable;
"""

# The row of the tenant is locked in common with other batches, and against the close: a usage is counted by
# the close, or sees it. A second statement, so that it sees what was closed while the first one waited.
_LATE = """
CREATE FUNCTION wrtn_put_late_usages_aside() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO wrtn_closings (tenant_id, end_time)
    SELECT DISTINCT tenant_id, to_timestamp(0) FROM added ORDER BY 1
    ON CONFLICT DO NOTHING;
    PERFORM FROM wrtn_closings WHERE tenant_id IN (SELECT tenant_id FROM added)
    ORDER BY tenant_id FOR SHARE;
    INSERT INTO wrtn_late_usages (tenant_id, history_id, bill_time)
    SELECT tenant_id, history_id, end_time FROM added JOIN wrtn_closings USING (tenant_id)
    WHERE use_time < end_time;
    RETURN NULL;
END $$;
CREATE TRIGGER wrtn_usages_late AFTER INSERT ON wrtn_usages
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION wrtn_put_late_usages_aside();
ALTER TABLE wrtn_usages ENABLE ALWAYS TRIGGER wrtn_usages_late;
"""

_TENANT_TABLES = (
    "wrtn_invoices",
    "wrtn_invoice_lines",
    "wrtn_credit_notes",
    "wrtn_credit_note_lines",
    "wrtn_closings",
    "wrtn_late_usages",
)


def upgrade() -> None:
    """Creates the tables, and has each usage asked from here on whether its period is closed."""
    op.execute(_TABLES)
    schema.global_table(op, "wrtn_number_series", app="SELECT, UPDATE", why="counters, the same for all")
    for table in _TENANT_TABLES:
        schema.tenant_table(op, table)
    for table in ("wrtn_credit_notes", "wrtn_credit_note_lines", "wrtn_late_usages"):
        schema.insert_only(op, table)
    op.execute(_IMMUTABLE)
    op.execute(_LATE)
    schema.tenant_list(op, "wrtn_known_enterprises", "tenant_id", "time_zone")

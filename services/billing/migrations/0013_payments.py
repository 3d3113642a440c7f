"""Payments, refunds, and saved cards."""

from alembic import op

from chassis.database import schema

revision = "0013"
down_revision = "0012"

_TABLES = """
CREATE TABLE wrtn_payments (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    provider smallint NOT NULL CONSTRAINT wrtn_payments_provider_check CHECK (provider BETWEEN 1 AND 2),
    provider_payment_id text,
    state smallint NOT NULL CONSTRAINT wrtn_payments_state_check CHECK (state BETWEEN 1 AND 5),
    amount numeric NOT NULL CONSTRAINT wrtn_payments_amount_check CHECK (amount > 0),
    currency text NOT NULL,
    invoice_id uuid,
    applied_amount numeric NOT NULL
        CONSTRAINT wrtn_payments_applied_check CHECK (applied_amount BETWEEN 0 AND amount),
    refunded_amount numeric NOT NULL
        CONSTRAINT wrtn_payments_refunded_check CHECK (refunded_amount BETWEEN 0 AND amount),
    payment_method_id uuid,
    automatic boolean NOT NULL,
    failure text NOT NULL,
    check_time timestamptz,
    checks integer NOT NULL,
    version integer NOT NULL,
    create_time timestamptz NOT NULL,
    update_time timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX wrtn_payments_underway_key ON wrtn_payments (tenant_id, invoice_id)
    WHERE state IN (1, 2);
CREATE UNIQUE INDEX wrtn_payments_provider_payment_key ON wrtn_payments (provider, provider_payment_id);
CREATE INDEX wrtn_payments_check_time_idx ON wrtn_payments (check_time) WHERE check_time IS NOT NULL;

CREATE TABLE wrtn_refunds (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    payment_id uuid NOT NULL,
    provider_refund_id text,
    state smallint NOT NULL CONSTRAINT wrtn_refunds_state_check CHECK (state BETWEEN 1 AND 3),
    amount numeric NOT NULL CONSTRAINT wrtn_refunds_amount_check CHECK (amount > 0),
    check_time timestamptz,
    checks integer NOT NULL,
    create_time timestamptz NOT NULL,
    update_time timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, payment_id) REFERENCES wrtn_payments
);
CREATE INDEX wrtn_refunds_check_time_idx ON wrtn_refunds (check_time) WHERE check_time IS NOT NULL;

CREATE TABLE wrtn_payment_customers (
    tenant_id uuid PRIMARY KEY,
    customer_id text NOT NULL,
    create_time timestamptz NOT NULL
);
CREATE UNIQUE INDEX wrtn_payment_customers_id_key ON wrtn_payment_customers (customer_id);

CREATE TABLE wrtn_payment_methods (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    provider_method_id text NOT NULL,
    card bytea NOT NULL,
    is_default boolean NOT NULL,
    create_time timestamptz NOT NULL,
    delete_time timestamptz,
    detach_time timestamptz,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT wrtn_payment_methods_detach_time_check CHECK (detach_time IS NULL OR delete_time IS NOT NULL),
    CONSTRAINT wrtn_payment_methods_is_default_check CHECK (NOT is_default OR delete_time IS NULL)
);
CREATE UNIQUE INDEX wrtn_payment_methods_provider_method_key
    ON wrtn_payment_methods (tenant_id, provider_method_id);
CREATE UNIQUE INDEX wrtn_payment_methods_default_key ON wrtn_payment_methods (tenant_id) WHERE is_default;
"""


def upgrade() -> None:
    """Creates the tables; the worker role sees whose provider is to be asked."""
    op.execute(_TABLES)
    for table in ("wrtn_payments", "wrtn_refunds", "wrtn_payment_customers", "wrtn_payment_methods"):
        schema.tenant_table(op, table)
    schema.tenant_list(op, "wrtn_payments", "tenant_id", "check_time")
    schema.tenant_list(op, "wrtn_refunds", "tenant_id", "check_time")
    schema.tenant_list(op, "wrtn_payment_methods", "tenant_id", "delete_time", "detach_time")

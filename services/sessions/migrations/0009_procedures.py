"""The catalogue of procedures."""

from alembic import op

from chassis.database import schema

revision = "0009"
down_revision = "0008"

_TABLES = """
CREATE TABLE wrtn_procedures (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    code text NOT NULL,
    display_name text NOT NULL,
    description text NOT NULL,
    state smallint NOT NULL,
    version integer NOT NULL,
    create_time timestamptz NOT NULL,
    update_time timestamptz NOT NULL,
    CONSTRAINT wrtn_procedures_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT wrtn_procedures_code_key UNIQUE (tenant_id, code)
);

CREATE TABLE wrtn_procedure_versions (
    tenant_id uuid NOT NULL,
    procedure_id uuid NOT NULL,
    version integer NOT NULL,
    input_form text NOT NULL,
    output_schema text NOT NULL,
    create_member_id uuid NOT NULL,
    create_time timestamptz NOT NULL,
    CONSTRAINT wrtn_procedure_versions_pkey PRIMARY KEY (tenant_id, procedure_id, version)
);
"""


def upgrade() -> None:
    """Creates the tables. What belongs to the platform is of its tenant, all zeros; versions never change."""
    op.execute(_TABLES)
    schema.tenant_table(op, "wrtn_procedures")
    schema.tenant_table(op, "wrtn_procedure_versions")
    schema.insert_only(op, "wrtn_procedure_versions")

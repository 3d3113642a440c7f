"""Domains of enterprises, and the directory of the proven ones."""

from alembic import op

from chassis.database import schema

revision = "0004"
down_revision = "0003"

_TABLES = """
CREATE TABLE wrtn_domains (
    tenant_id uuid NOT NULL REFERENCES wrtn_enterprises,
    id uuid NOT NULL,
    domain text NOT NULL,
    token text NOT NULL,
    state text NOT NULL,
    proof text,
    prover_account_id uuid,
    verify_time timestamptz,
    check_time timestamptz,
    missing_time timestamptz,
    misses integer NOT NULL,
    version integer NOT NULL,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, domain),
    CONSTRAINT wrtn_domains_state_check CHECK (state IN ('PENDING', 'VERIFIED', 'LOST')),
    CONSTRAINT wrtn_domains_proof_check CHECK (proof IN ('DNS', 'ADDRESS')),
    CONSTRAINT wrtn_domains_prover_check CHECK ((proof = 'ADDRESS') = (prover_account_id IS NOT NULL))
);

CREATE TABLE wrtn_proven_domains (
    domain text PRIMARY KEY,
    tenant_id uuid NOT NULL,
    domain_id uuid NOT NULL,
    proof text NOT NULL,
    next_check_time timestamptz NOT NULL,
    FOREIGN KEY (tenant_id, domain_id) REFERENCES wrtn_domains (tenant_id, id)
);
CREATE INDEX ON wrtn_proven_domains (next_check_time);
"""


def upgrade() -> None:
    """Creates the tables."""
    op.execute(_TABLES)
    schema.tenant_table(op, "wrtn_domains")
    schema.global_table(op, "wrtn_proven_domains", why="whose a domain is: asked before a tenant is known")

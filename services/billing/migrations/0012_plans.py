"""Plans and subscriptions."""

from alembic import op

from chassis.database import schema

revision = "0012"
down_revision = "0011"

_SUBSCRIBED = """
    state smallint NOT NULL,
    plan_id uuid NOT NULL,
    plan_version bigint NOT NULL,
    seats integer NOT NULL,
    discount numeric NOT NULL"""

_TABLES = f"""
CREATE TABLE wrtn_plans (
    id uuid PRIMARY KEY,
    key text NOT NULL,
    version bigint NOT NULL,
    archive_time timestamptz
);
CREATE UNIQUE INDEX wrtn_plans_key_key ON wrtn_plans (key);

CREATE TABLE wrtn_plan_versions (
    plan_id uuid NOT NULL REFERENCES wrtn_plans,
    version bigint NOT NULL,
    terms bytea NOT NULL,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (plan_id, version)
);

CREATE TABLE wrtn_subscriptions (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,{_SUBSCRIBED},
    currency text NOT NULL,
    start_time timestamptz NOT NULL,
    trial_end_time timestamptz,
    cancel_time timestamptz,
    version bigint NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (plan_id, plan_version) REFERENCES wrtn_plan_versions,
    CONSTRAINT wrtn_subscriptions_state_check CHECK (state BETWEEN 1 AND 4),
    CONSTRAINT wrtn_subscriptions_discount_check CHECK (discount BETWEEN 0 AND 100),
    CONSTRAINT wrtn_subscriptions_trial_check CHECK (state <> 1 OR trial_end_time IS NOT NULL)
);
CREATE UNIQUE INDEX wrtn_subscriptions_one_key ON wrtn_subscriptions (tenant_id) WHERE state <> 4;

CREATE TABLE wrtn_subscription_phases (
    tenant_id uuid NOT NULL,
    subscription_id uuid NOT NULL,
    sequence bigint NOT NULL,{_SUBSCRIBED},
    start_time timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, subscription_id, sequence),
    FOREIGN KEY (tenant_id, subscription_id) REFERENCES wrtn_subscriptions
);
"""


def upgrade() -> None:
    """Creates the tables; the worker role sees whose subscriptions turn by the clock."""
    op.execute(_TABLES)
    schema.global_table(op, "wrtn_plans", app="SELECT, INSERT, UPDATE", why="what is sold, the same for all")
    schema.global_table(op, "wrtn_plan_versions", app="SELECT, INSERT", why="what is sold, the same for all")
    for table in ("wrtn_subscriptions", "wrtn_subscription_phases"):
        schema.tenant_table(op, table)
    for table in ("wrtn_plan_versions", "wrtn_subscription_phases"):
        schema.insert_only(op, table)
    schema.tenant_list(op, "wrtn_subscriptions", "tenant_id", "state", "trial_end_time", "cancel_time")

"""What enterprises ask of a sign-in."""

from alembic import op

from chassis.database.schema import tenant_table

revision = "0011"
down_revision = "0010"

_TABLES = """
CREATE TABLE wrtn_sign_in_policies (
    tenant_id uuid PRIMARY KEY,
    second_factor_required boolean NOT NULL,
    single_sign_on_required boolean NOT NULL,
    allowed_ranges text[] NOT NULL,
    session_hours integer NOT NULL,
    version integer NOT NULL,
    update_time timestamptz NOT NULL
);
"""
# The policy is judged where a principal is resolved, under the member's scope alone. What a member sees of
# accounts is bound by the policies of that table, which come on top.
_HOLDER = """
CREATE POLICY holder ON wrtn_sign_in_policies FOR SELECT USING (EXISTS (
    SELECT FROM wrtn_accounts AS account
    WHERE account.tenant_id = wrtn_sign_in_policies.tenant_id
      AND account.holder_member_id = (SELECT nullif(current_setting('wrtn.member', true), '')::uuid)
))
"""


def upgrade() -> None:
    """Creates the table and its guards."""
    op.execute(_TABLES)
    tenant_table(op, "wrtn_sign_in_policies")
    op.execute(_HOLDER)

"""What an admission looks at first: what is reserved already, who spends, what the plan allows, and which
budgets may cover it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import psycopg

from chassis.database import Snapshot, arrays
from chassis.database.transactions import Driver
from services.billing.periods import Span
from services.billing.plans.plan_rules import PlanRule, is_capped
from services.billing.store.spending import FIND, Covering, Kept
from wrtn.billing.v1.plans_pb2 import PlanTerms

MOST_DEEP = 100
"""How many teams above each other are followed; the tree itself is bounded lower."""

_WHO = """
WITH RECURSIVE asked AS (
    SELECT DISTINCT account_id, team_id
    FROM unnest(%(account_id)s::uuid[], %(team_id)s::uuid[]) AS each (account_id, team_id)
),
walked AS (
    SELECT team_id AS origin, team.team_id, team.parent_team_id, team.archived, 1 AS depth
    FROM (SELECT DISTINCT team_id FROM asked) AS named
    JOIN wrtn_known_teams AS team USING (team_id)
    WHERE team.tenant_id = %(tenant)s
    UNION ALL
    SELECT walked.origin, team.team_id, team.parent_team_id, team.archived, walked.depth + 1
    FROM walked JOIN wrtn_known_teams AS team ON team.team_id = walked.parent_team_id
    WHERE team.tenant_id = %(tenant)s AND walked.depth < %(deep)s
),
lines AS (
    SELECT origin, array_agg(team_id ORDER BY depth) AS line, bool_or(archived) AS archived
    FROM walked GROUP BY origin
)
SELECT asked.account_id, asked.team_id, account.holder_member_id, employee.employee_id,
       coalesce(employee.title, 0), lines.line, coalesce(lines.archived, false), coalesce(held.role, 0),
       coalesce(held.own, false)
FROM asked
JOIN wrtn_known_accounts AS account
    ON account.tenant_id = %(tenant)s AND account.account_id = asked.account_id
LEFT JOIN wrtn_known_employees AS employee
    ON employee.tenant_id = %(tenant)s AND employee.member_id = account.holder_member_id
LEFT JOIN lines ON lines.origin = asked.team_id
LEFT JOIN LATERAL (
    SELECT max(role) AS role, bool_or(companion.team_id = asked.team_id) AS own
    FROM wrtn_known_companions AS companion
    WHERE companion.tenant_id = %(tenant)s AND companion.employee_id = employee.employee_id
        AND companion.role > 0 AND companion.team_id = ANY (lines.line)
) AS held ON true
"""

# Always one row.
_TENANT = """
SELECT EXISTS (SELECT FROM wrtn_wallet_holds WHERE tenant_id = %(tenant)s),
       plan.plan_id, plan.state, plan.cancel_time, plan.terms
FROM (SELECT) AS tenant
LEFT JOIN LATERAL (
    SELECT held.plan_id, held.state, held.cancel_time, version.terms
    FROM wrtn_subscriptions AS held
    JOIN wrtn_plan_versions AS version
        ON (version.plan_id, version.version) = (held.plan_id, held.plan_version)
    WHERE held.tenant_id = %(tenant)s ORDER BY held.start_time DESC, held.state LIMIT 1
) AS plan ON true
"""

# Four kinds of budgets, each found by index however many a tenant has: a condition with OR reads them all.
_TEAMS = ("team_id IS NULL", "team_id = ANY (ARRAY(SELECT team_id FROM line))")
_EMPLOYEES = ("employee_id IS NULL", "employee_id = ANY (ARRAY(SELECT employee_id FROM holders))")
_BUDGETS = " UNION ALL ".join(
    f"""SELECT tenant_id, id, team_id, employee_id, resource, period FROM wrtn_budgets
    WHERE tenant_id = %(tenant)s AND archive_time IS NULL AND resource = ANY (%(resources)s::text[])
        AND {team} AND {employee}"""  # noqa: S608
    for team in _TEAMS
    for employee in _EMPLOYEES
)
COVERING = f"""
WITH RECURSIVE line AS (
    SELECT team_id, parent_team_id FROM wrtn_known_teams
    WHERE tenant_id = %(tenant)s AND team_id = ANY (%(team_id)s::uuid[])
    UNION
    SELECT team.team_id, team.parent_team_id
    FROM line JOIN wrtn_known_teams AS team ON team.team_id = line.parent_team_id
    WHERE team.tenant_id = %(tenant)s
),
holders AS (
    SELECT employee_id FROM wrtn_known_accounts AS account
    JOIN wrtn_known_employees AS employee
        ON employee.tenant_id = %(tenant)s AND employee.member_id = account.holder_member_id
    WHERE account.tenant_id = %(tenant)s AND account.account_id = ANY (%(account_id)s::uuid[])
)
SELECT budget.id, budget.team_id, budget.employee_id, budget.resource, budget.period,
       latest.start_time, latest.end_time
FROM ({_BUDGETS}) AS budget
LEFT JOIN LATERAL (
    SELECT start_time, end_time FROM wrtn_budget_periods AS kept
    WHERE kept.tenant_id = budget.tenant_id AND kept.budget_id = budget.id AND kept.start_time <= %(now)s
    ORDER BY start_time DESC LIMIT 1
) AS latest ON true
"""  # noqa: S608


class Spender(NamedTuple):
    """Who spends, and where they stand at this moment."""

    account_id: UUID
    team_id: UUID | None
    member_id: UUID
    employee_id: UUID | None
    title: int
    line: tuple[UUID, ...]
    """The team and those above it, the nearest first."""
    archived: bool
    role: int
    companion: bool


Place = tuple[UUID, UUID | None]
"""An account, and the team for which it spends."""


class Seen(NamedTuple):
    """What was found."""

    known: Mapping[UUID, Kept]
    """The reservations that there are."""
    spenders: Mapping[Place, Spender]
    """Without the accounts that the tenant does not have."""
    plan: PlanRule | None
    """None if the tenant never subscribed."""
    wallet: bool
    """Whether the tenant has one."""
    covering: Sequence[Covering]
    """The budgets that may cover a spending at one of the places."""


class Look:
    """Asks for all of it at once, in the round trip that opens the transaction of one tenant."""

    def __init__(
        self,
        tenant_id: UUID,
        reservation_ids: Sequence[UUID],
        places: Iterable[Place],
        resources: Iterable[str],
        now: datetime,
    ) -> None:
        self._ids = arrays.literal(reservation_ids)
        self._values = {
            **arrays.by_column(("account_id", "team_id"), sorted(set(places), key=str)),
            "tenant": tenant_id,
            "deep": MOST_DEEP,
            "resources": arrays.literal(resources),
            "now": now,
        }
        self._found: list[psycopg.AsyncCursor[tuple[Any, ...]]] = []

    async def ask(self, driver: Driver) -> None:
        """Sends the statements."""
        self._found = [
            await driver.execute(FIND, (self._values["tenant"], self._ids)),
            await driver.execute(_WHO, self._values),
            await driver.execute(_TENANT, self._values),
            await driver.execute(COVERING, self._values),
        ]

    async def seen(self) -> Seen:
        """Reads what they found."""
        known, who, [(wallet, *held)], covering = [await each.fetchall() for each in self._found]
        spenders = [Spender._make((*row[:5], tuple(row[5] or ()), *row[6:])) for row in who]
        return Seen(
            {row[1]: Kept._make(row) for row in known},
            {(each.account_id, each.team_id): each for each in spenders},
            _plan(held),
            wallet,
            [Covering._make((*row[:5], Span(row[5], row[6]) if row[5] else None)) for row in covering],
        )


async def plan_of(tx: Snapshot, tenant_id: UUID) -> PlanRule | None:
    """Answers what the plan of a tenant lets be spent; None if it never subscribed."""
    cursor = await (await tx.driver()).execute(_TENANT, {"tenant": tenant_id})
    [(_, *held)] = await cursor.fetchall()
    return _plan(held)


def _plan(held: Sequence[Any]) -> PlanRule | None:
    plan_id, state, cancel_time, terms = held
    if plan_id is None:
        return None
    said = PlanTerms.FromString(terms)
    return PlanRule(plan_id, state, cancel_time, said.allowed_models, is_capped(said))

"""Who sets budgets, and who sees them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple
from uuid import UUID

from chassis.call import Access
from services.billing.errors import BudgetNotYours
from services.billing.models import Budget
from services.billing.spending.splitting import line_of
from wrtn.access.v1.access_pb2 import DUTY_BILLING, ROLE_CHIEF, ROLE_MANAGER, TITLE_MANAGER, TITLE_OWNER


class Decider(NamedTuple):
    """Who decides, with the access of this moment, never a cache's."""

    member_id: UUID
    access: Access
    reason: str


def require_setter(access: Access, row: Budget, parents: Mapping[UUID, UUID | None]) -> None:
    """Raises BudgetNotYours unless this access may set the budget."""
    if not may_set(access, row, parents):
        raise BudgetNotYours("Who is above sets this budget: ask an owner, or a chief above.")


def may_set(access: Access, row: Budget, parents: Mapping[UUID, UUID | None]) -> bool:
    """Whether this access may set the budget."""
    if access.title >= TITLE_OWNER or (access.title >= TITLE_MANAGER and DUTY_BILLING in access.duties):
        return True
    above = setting_teams(row, parents)
    return any(access.roles.get(team_id, 0) >= ROLE_CHIEF for team_id in above)


def setting_teams(row: Budget, parents: Mapping[UUID, UUID | None]) -> list[UUID]:
    """Answers the teams whose chiefs may set the budget, the nearest first."""
    if row.team_id is None:
        return []
    line = line_of(row.team_id, parents)
    # Their own team is limited by who is above; within it they may limit people.
    return line if row.employee_id is not None else line[1:]


def may_see(access: Access, row: Budget, parents: Mapping[UUID, UUID | None]) -> bool:
    """Whether this access may see the budget and how it stands."""
    if access.title >= TITLE_MANAGER or row.employee_id == access.employee_id:
        return True
    if row.team_id is None:
        return row.employee_id is None
    roles = [access.roles.get(team_id, 0) for team_id in line_of(row.team_id, parents)]
    return max(roles) >= ROLE_MANAGER or (roles[0] > 0 and row.employee_id is None)

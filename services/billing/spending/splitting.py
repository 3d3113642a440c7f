"""Budgets of teams split the one above them: together they never exceed it, and nobody's own does."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from chassis.database import Transaction
from chassis.decimals import text
from services.billing.errors import BudgetAboveParent
from services.billing.models import Budget, BudgetExtra
from services.billing.spending.admission import ZERO
from services.billing.store.budgets import Budgets
from services.billing.store.increases import Extras


def line_of(team_id: UUID, parents: Mapping[UUID, UUID | None]) -> list[UUID]:
    """Answers the team and those above it, the nearest first."""
    line = [team_id]
    while (parent := parents.get(line[-1])) is not None and parent not in line:
        line.append(parent)
    return line


async def require_room(tx: Transaction, row: Budget) -> None:
    """Raises BudgetAboveParent if, at some moment from now on, a budget would exceed the one above it.

    `row` counts as it is given. What increases add counts until it ends, below and above.
    """
    split = await _split(tx, row)
    if row.employee_id is None and (missing := -split.left(_target(row), tx.now)) > 0:
        raise BudgetAboveParent(
            "The budgets of the teams below would together exceed this one: lower them first.",
            field="budget.amount",
            least=text(row.amount + missing),
        )
    _require_share(split, row, row.amount, "budget.amount", tx.now)


async def require_room_for_more(tx: Transaction, row: Budget, extra: BudgetExtra) -> None:
    """Raises BudgetAboveParent as `require_room`, if an increase were added to the budget."""
    _require_share(await _split(tx, row, extra), row, extra.amount, "amount", tx.now)


def _require_share(split: _Split, row: Budget, asked: Decimal, field: str, now: datetime) -> None:
    above = split.above[_target(row)]
    if above is None:
        return
    if row.employee_id is None:
        message = "The budgets of the teams below would together exceed the budget above them."
        left = split.left(above, now)
    else:
        message = "Nobody's budget exceeds the one of their team, or of the enterprise."
        left = split.beyond(_target(row), above, now)
    if left < 0:
        raise BudgetAboveParent(message, field=field, left=text(max(left + asked, ZERO)))


@dataclass(frozen=True, slots=True)
class _Split:
    """The budgets of one resource and period by what they limit, and which of them stands above each.

    Budgets of people are no shares: together they may promise more than their team has, each alone may not.
    """

    budgets: Mapping[UUID, Budget]
    above: Mapping[UUID, UUID | None]
    extras: list[BudgetExtra]

    def left(self, target: UUID, now: datetime) -> Decimal:
        """Answers what the teams below leave of a budget at the tightest moment; negative if too little."""
        below = [each for each, above in self.above.items() if above == target and self._shares(each)]
        return min(
            self._amount(target, moment) - sum((self._amount(each, moment) for each in below), ZERO)
            for moment in self._moments(now)
        )

    def beyond(self, target: UUID, above: UUID, now: datetime) -> Decimal:
        """Answers by how much the budget above is larger at the tightest moment, or negative."""
        return min(self._amount(above, each) - self._amount(target, each) for each in self._moments(now))

    def _moments(self, now: datetime) -> list[datetime]:
        return [now, *(each.end_time for each in self.extras)]

    def _shares(self, target: UUID) -> bool:
        return self.budgets[target].employee_id is None

    def _amount(self, target: UUID, moment: datetime) -> Decimal:
        budget = self.budgets[target]
        added = (each for each in self.extras if each.budget_id == budget.id and each.end_time > moment)
        return budget.amount + sum((each.amount for each in added), ZERO)


async def _split(tx: Transaction, row: Budget, *more: BudgetExtra) -> _Split:
    queries = Budgets(tx, row.tenant_id)
    budgets = {_target(each): each for each in [*await queries.like(row), row]}
    parents = await queries.parents()
    above = {each: _above(budget, parents, budgets) for each, budget in budgets.items()}
    extras = await Extras(tx, row.tenant_id).lasting([each.id for each in budgets.values()], tx.now)
    return _Split(budgets, above, [*extras, *more])


def _target(row: Budget) -> UUID:
    """Answers the team or the enterprise that the budget limits; for an employee the budget itself."""
    return row.id if row.employee_id is not None else row.team_id or row.tenant_id


def _above(row: Budget, parents: Mapping[UUID, UUID | None], limited: Container[UUID]) -> UUID | None:
    """Answers the nearest team above that has a budget, else the enterprise if it has one."""
    line = line_of(row.team_id, parents) if row.team_id is not None else []
    if row.employee_id is None:
        line = line[1:]
    candidates = [*line, row.tenant_id]
    return next((each for each in candidates if each in limited and each != _target(row)), None)

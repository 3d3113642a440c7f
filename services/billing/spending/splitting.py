"""Budgets of teams split the one above them: together they never exceed it."""

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
    """Raises BudgetAboveParent if, at some moment from now on, budgets of teams would exceed the one above.

    `row` counts as it is given. What increases add counts until it ends, below and above.
    """
    if row.employee_id is not None:
        return
    split = await _split(tx, row)
    own = _target(row)
    if (missing := -split.left(own, tx.now)) > 0:
        raise BudgetAboveParent(
            "The budgets of the teams below would together exceed this one: lower them first.",
            field="budget.amount",
            least=text(row.amount + missing),
        )
    _require_share(split, own, row.amount, "budget.amount", tx.now)


async def require_room_for_more(tx: Transaction, row: Budget, extra: BudgetExtra) -> None:
    """Raises BudgetAboveParent as `require_room`, if an increase were added to the budget."""
    if row.employee_id is None:
        split = await _split(tx, row, extra)
        _require_share(split, _target(row), extra.amount, "amount", tx.now)


def _require_share(split: _Split, target: UUID, asked: Decimal, field: str, now: datetime) -> None:
    above = split.above[target]
    if above is not None and (left := split.left(above, now)) < 0:
        raise BudgetAboveParent(
            "The budgets of the teams below would together exceed the budget above them.",
            field=field,
            left=text(max(left + asked, ZERO)),
        )


@dataclass(frozen=True, slots=True)
class _Split:
    """The budgets of one resource and period by what they limit, and which of them stands above each."""

    budgets: Mapping[UUID, Budget]
    above: Mapping[UUID, UUID | None]
    extras: list[BudgetExtra]

    def left(self, target: UUID, now: datetime) -> Decimal:
        """Answers what those below leave of a budget at its tightest moment; negative if they exceed it."""
        moments = [now, *(each.end_time for each in self.extras)]
        return min(self._left_at(target, each) for each in moments)

    def _left_at(self, target: UUID, moment: datetime) -> Decimal:
        below = (each for each, above in self.above.items() if above == target)
        return self._amount(target, moment) - sum((self._amount(each, moment) for each in below), ZERO)

    def _amount(self, target: UUID, moment: datetime) -> Decimal:
        budget = self.budgets[target]
        added = (each for each in self.extras if each.budget_id == budget.id and each.end_time > moment)
        return budget.amount + sum((each.amount for each in added), ZERO)


async def _split(tx: Transaction, row: Budget, *more: BudgetExtra) -> _Split:
    queries = Budgets(tx, row.tenant_id)
    budgets = {_target(each): each for each in [*await queries.like(row), row]}
    parents = await queries.parents()
    above = {each: _above(each, parents, row.tenant_id, budgets) for each in budgets}
    extras = await Extras(tx, row.tenant_id).lasting([each.id for each in budgets.values()], tx.now)
    return _Split(budgets, above, [*extras, *more])


def _target(row: Budget) -> UUID:
    """Answers what the budget of a team or the enterprise limits."""
    return row.team_id or row.tenant_id


def _above(
    target: UUID, parents: Mapping[UUID, UUID | None], tenant_id: UUID, limited: Container[UUID]
) -> UUID | None:
    """Answers the nearest team above that has a budget, else the enterprise if it has one."""
    if target == tenant_id:
        return None
    line = [*line_of(target, parents)[1:], tenant_id]
    return next((each for each in line if each in limited), None)

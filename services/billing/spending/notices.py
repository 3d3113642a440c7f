"""What people are told of budgets and wallets, once each: by an event, which webhooks carry, and by mail.

About an employee's budget the employee is written to, about a team's its chiefs, about the enterprise's its
owners and the managers with the duty of billing; the latter also where a team has no chief. About a wallet
and the tokens of a plan those who pay are written to.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from chassis.database import Transaction
from chassis.decimals import text
from services.billing import events, letters
from services.billing.models import Budget
from services.billing.spending.admission import ZERO, Counter
from services.billing.spending.token_caps import TokenCap
from services.billing.store.budgets import Periods
from services.billing.store.recipients import Recipients
from services.billing.store.token_counts import TokenCounts
from services.billing.store.wallets import Wallets


class Target(NamedTuple):
    """Whom a budget limits."""

    tenant_id: UUID
    team_id: UUID | None
    employee_id: UUID | None

    @property
    def level(self) -> str:
        """As the templates of mails name it."""
        if self.employee_id is not None:
            return "employee"
        return "team" if self.team_id is not None else "enterprise"


async def refused(tx: Transaction, tenant_id: UUID, counter: Counter) -> None:
    """Tells of the first refusal of a budget in a period."""
    if not await Periods(tx, tenant_id).notice(counter.budget_id, counter.start, ZERO, tx.now):
        return
    events.budget_refused(tx, tenant_id, counter)
    target = Target(tenant_id, counter.team_id, counter.employee_id)
    await _write(tx, target, "budget_refused", {"amount": text(counter.limit)})


async def wallet_refused(tx: Transaction, tenant_id: UUID, left: Decimal) -> None:
    """Tells of the first refusal of a wallet since credits last came, and what was left of them."""
    wallets = Wallets(tx, tenant_id)
    if not await wallets.note_refusal():
        return
    currency = (await wallets.kept()).currency
    events.wallet_refused(tx, tenant_id, currency, left)
    fills = {"amount": text(left), "currency": currency}
    await letters.write_to_payers(tx, tenant_id, "wallet_refused", fills)


async def tokens_refused(tx: Transaction, tenant_id: UUID, cap: TokenCap) -> None:
    """Tells of the first refusal of a plan's tokens in a month."""
    if not await TokenCounts(tx, tenant_id).note_refusal(tx.now):
        return
    events.tokens_refused(tx, tenant_id, cap.plan_id, cap.end)
    await letters.write_to_payers(tx, tenant_id, "tokens_refused", {"until": f"{cap.end:%Y-%m-%d %H:%M} UTC"})


async def reached(tx: Transaction, budget: Budget, start: datetime, threshold: Decimal) -> None:
    """Tells of a threshold that a budget reached in a period."""
    if not await Periods(tx, budget.tenant_id).notice(budget.id, start, threshold, tx.now):
        return
    events.budget_reached(tx, budget, start, threshold)
    target = Target(budget.tenant_id, budget.team_id, budget.employee_id)
    fills = {"amount": text(budget.amount), "percent": text(threshold)}
    await _write(tx, target, "budget_reached", fills)


async def _write(tx: Transaction, target: Target, template: str, fills: dict[str, str]) -> None:
    for member_id in await concerned(tx, target):
        letters.write(tx, target.tenant_id, member_id, template, {"level": target.level, **fills})


async def concerned(tx: Transaction, target: Target) -> list[UUID]:
    """Answers the members who are concerned by what happens to a budget."""
    recipients = Recipients(tx, target.tenant_id)
    if target.employee_id is not None:
        return await recipients.employee(target.employee_id)
    if target.team_id is not None:
        chiefs = await recipients.chiefs([target.team_id])
        if chiefs:
            return chiefs
    return await recipients.payers()

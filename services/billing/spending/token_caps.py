"""Plans beyond whose included tokens nothing is admitted: counted by month, in the step that reserves.

A month is that of the invoice, and includes what its invoice will take off: what was used within it when it
begins to be counted is counted with it. Tokens of calls under way are held until their reservations end.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from chassis.database import Transaction
from chassis.errors import DomainError
from services.billing.errors import TokensExceeded, TokensNotEstimated
from services.billing.models import TokenCount
from services.billing.periods import following, span
from services.billing.plans.included_tokens import allowance
from services.billing.plans.plan_rules import LEVEL, PlanRule
from services.billing.plans.stretches import stretches_of
from services.billing.spending.admission import Ask
from services.billing.store import token_counts
from services.billing.store.billed import Billed
from services.billing.store.customers import Customer
from services.billing.store.token_counts import Month, TokenCounts
from services.billing.store.wallets import Wallets
from services.billing.usage.usages import RatedUsage
from wrtn.billing.v1.budgets_pb2 import BUDGET_PERIOD_MONTH

_ALL = 2**62
"""More tokens than there are."""


@dataclass
class TokenCap:
    """What is left of the tokens of a month, behind its lock."""

    plan_id: UUID
    end: datetime
    left: int
    taken: dict[UUID, int] = field(default_factory=dict)
    """What reservations take of it, by their ids."""
    refused: bool = False
    """Whether a call was refused that it does not cover."""

    def refusal(self, ask: Ask, now: datetime) -> DomainError | None:
        """Answers why a call is refused; None if it is not. For nothing, too, a token must be left."""
        if not ask.counted:
            return TokensNotEstimated(
                "The plan limits tokens: estimate tokens, not an amount.",
                field="estimate",
                level=LEVEL,
                level_id=str(self.plan_id),
            )
        if ask.tokens <= self.left and self.left > 0:
            return None
        self.refused = True
        return TokensExceeded(
            "The tokens that the plan includes do not cover it: change the plan, or wait until they reset.",
            retry_after=(self.end - now).total_seconds(),
            level=LEVEL,
            level_id=str(self.plan_id),
            left=str(max(self.left, 0)),
            reset_time=self.end.isoformat(),
        )

    def take(self, reservation_id: UUID, tokens: int) -> None:
        """Takes tokens for a reservation."""
        self.left -= tokens
        self.taken[reservation_id] = tokens


async def locked(tx: Transaction, tenant_id: UUID, plan: PlanRule | None) -> TokenCap | None:
    """Answers what is left, locked; None if the plan limits no tokens."""
    if plan is None or not plan.capped:
        return None
    counts = TokenCounts(tx, tenant_id)
    month = await counts.lock(tx.now) or await _begun(tx, tenant_id, counts)
    return TokenCap(plan.plan_id, month.end_time, month.allowed - month.used - await counts.held())


async def _begun(tx: Transaction, tenant_id: UUID, counts: TokenCounts) -> TokenCount:
    """Begins to count the running month, behind the ledger's lock: what is rated meanwhile comes after it."""
    customer = Customer(tx, tenant_id)
    await Wallets(tx, tenant_id).open(await customer.currency())
    # Another replica may have begun it while this one waited.
    known = await counts.lock(tx.now)
    if known is not None:
        return known
    zone, last = ZoneInfo(await customer.time_zone()), await counts.last_span()
    month = span(BUDGET_PERIOD_MONTH, zone, tx.now)
    start, end = following(last, month) if last is not None else month
    if end is None:
        raise ValueError("a month ends")
    granted = allowance(await stretches_of(tx, tenant_id, end), zone, start, end)
    allowed = used = 0
    if granted is not None:
        allowed = granted.tokens
        used = (await Billed(tx, tenant_id).covered(start, end, _ALL, granted.spans)).tokens
    return await counts.begin(
        TokenCount(tenant_id=tenant_id, start_time=start, end_time=end, allowed=allowed, used=used)
    )


async def count(tx: Transaction, usages: Sequence[RatedUsage]) -> None:
    """Adds rated usages to the months that are counted, and gives back what their reservations held."""
    if not usages:
        return
    times = [each.use_time for each in usages]
    tenants = {each.tenant_id for each in usages}
    counted = await token_counts.months(tx, tenants, min(times), max(times))
    if not counted:
        return
    of_tenant = defaultdict(list)
    for month in counted:
        of_tenant[month.tenant_id].append(month)
    used: dict[Month, int] = defaultdict(int)
    for each in usages:
        for month in of_tenant[each.tenant_id]:
            if month.span.covers(each.use_time):
                used[month] += each.input_tokens + each.output_tokens
    await token_counts.add(tx, used)
    ended = {
        (each.tenant_id, each.reservation_id)
        for each in usages
        if each.reservation_id is not None and each.tenant_id in of_tenant
    }
    await token_counts.give_back(tx, ended)

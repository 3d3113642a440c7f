"""What was locked of budgets and wallets, as admissions count on it."""

from __future__ import annotations

from uuid import UUID

from services.billing.periods import BEGINNING
from services.billing.spending.admission import ZERO, Counter
from services.billing.store.spending import Covering, Held, Key, Purse, Terms


def counter_of(tenant_id: UUID, covering: Covering, key: Key, held: Held, terms: Terms) -> Counter:
    """Answers the counter of a locked period."""
    return Counter(
        budget_id=covering.id,
        tenant_id=tenant_id,
        team_id=covering.team_id,
        employee_id=covering.employee_id,
        limit=terms.amount,
        soft=terms.soft,
        requests_per_minute=terms.requests_per_minute,
        tokens_per_minute=terms.tokens_per_minute,
        start=key[1],
        end=held.end_time,
        spent=held.spent,
        reserved=held.reserved,
        requests=held.requests,
        tokens=held.tokens,
        drain_time=held.drain_time,
    )


def wallet_counter(tenant_id: UUID, purse: Purse | None) -> Counter | None:
    """Answers the counter of a locked wallet, if the tenant has one."""
    if purse is None:
        return None
    return Counter(
        budget_id=tenant_id,
        tenant_id=tenant_id,
        team_id=None,
        employee_id=None,
        limit=purse.credits,
        soft=not purse.prepaid,
        requests_per_minute=0,
        tokens_per_minute=0,
        start=BEGINNING,
        end=None,
        spent=ZERO,
        reserved=purse.reserved,
        wallet=True,
    )

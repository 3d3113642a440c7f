"""A wallet below its threshold buys credits by the default card, one purchase at a time."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from chassis.database import Scope
from services.billing.models import KnownEmployee, Payment, PaymentMethod
from services.billing.payments import payments
from services.billing.payments.providers import Outcome
from services.billing.store.payments import Payments
from services.billing.wallets import wallets
from services.billing.wallets.top_ups import TopUps, top_up
from tests.billing.purses import Purses
from tests.usage import NEW, Person
from wrtn.access.v1.access_pb2 import TITLE_OWNER
from wrtn.billing.v1 import payments_pb2 as pb

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def below(shared: Purses, tenant_id: UUID) -> None:
    """Has a tenant with 6 credits top up by 20 below 5, and use 2."""
    await shared.bought(tenant_id, "6")
    changes = {"top_up_threshold": Decimal(5), "top_up_amount": Decimal(20)}
    async with shared.running.runtime.db.transaction(Scope.of(tenant_id)) as tx:
        await wallets.set_top_up(tx, tenant_id, "", changes)
        await top_up(tx, tenant_id)
    assert await bought(shared, tenant_id) == []
    await shared.used(Person(tenant_id), 2)


async def with_card(shared: Purses, tenant_id: UUID) -> None:
    """Saves a card."""
    async with shared.running.runtime.db.transaction(Scope.of(tenant_id)) as tx:
        card = PaymentMethod(
            tenant_id=tenant_id,
            id=NEW(),
            provider_method_id=f"pm_{NEW()}",
            card=b"sealed",
            is_default=True,
            create_time=tx.now,
            delete_time=None,
            detach_time=None,
        )
        tx.session.add(card)


async def bought(shared: Purses, tenant_id: UUID) -> list[tuple[Decimal, int]]:
    """Answers amount and state of the automatic payments, the oldest first."""
    query = "SELECT amount, state FROM wrtn_payments WHERE automatic ORDER BY create_time"
    return [(row[0], row[1]) for row in await shared.rows(tenant_id, query)]


async def ended(shared: Purses, tenant_id: UUID, state: int) -> Payment:
    """Has the provider say what became of the last purchase."""
    async with shared.running.runtime.db.transaction(Scope.of(tenant_id)) as tx:
        last = await Payments(tx, tenant_id).last_top_up()
        assert last is not None
        await payments.settle(tx, last, Outcome(state))
        return last


async def test_credits_are_bought_once_below_the_threshold_as_soon_as_there_is_a_card(
    shared: Purses,
) -> None:
    owner = await shared.enterprise()
    tenant_id = owner.enterprise_id
    job = TopUps(shared.running.runtime.db, shared.running.runtime.worker)
    await below(shared, tenant_id)
    await job.run()
    assert await bought(shared, tenant_id) == []
    await with_card(shared, tenant_id)
    for _ in range(2):
        await job.run()
    assert await bought(shared, tenant_id) == [(Decimal(20), pb.Payment.STATE_PENDING)]
    await ended(shared, tenant_id, pb.Payment.STATE_SUCCEEDED)
    await job.run()
    assert (await shared.shown(owner)).balance == "24"
    await shared.used(Person(tenant_id), 20)
    await job.run()
    assert len(await bought(shared, tenant_id)) == 2


async def test_a_purchase_that_failed_is_tried_again_a_day_later(shared: Purses) -> None:
    owner = await shared.enterprise()
    tenant_id = owner.enterprise_id
    await below(shared, tenant_id)
    await with_card(shared, tenant_id)
    job = TopUps(shared.running.runtime.db, shared.running.runtime.worker)
    await job.run()
    await ended(shared, tenant_id, pb.Payment.STATE_FAILED)
    await job.run()
    assert await bought(shared, tenant_id) == [(Decimal(20), pb.Payment.STATE_FAILED)]
    async with shared.running.runtime.db.transaction(Scope.of(tenant_id)) as tx:
        tx.now += timedelta(days=1, seconds=1)
        await top_up(tx, tenant_id)
    assert len(await bought(shared, tenant_id)) == 2


async def test_after_three_failures_in_a_row_it_is_turned_off_and_those_who_pay_are_written_to(
    shared: Purses,
) -> None:
    owner = await shared.enterprise()
    tenant_id = owner.enterprise_id
    async with shared.running.runtime.db.transaction(Scope.of(tenant_id)) as tx:
        employee = KnownEmployee(
            tenant_id=tenant_id, employee_id=NEW(), member_id=NEW(), title=TITLE_OWNER, version=1
        )
        tx.session.add(employee)
    await below(shared, tenant_id)
    await with_card(shared, tenant_id)
    threshold = "SELECT top_up_threshold FROM wrtn_wallets"
    for number in range(1, 4):
        async with shared.running.runtime.db.transaction(Scope.of(tenant_id)) as tx:
            await payments.begin(tx, tenant_id, amount=Decimal(20), automatic=True)
        await ended(shared, tenant_id, pb.Payment.STATE_FAILED)
        still = [(Decimal(5),)] if number < 3 else [(None,)]
        assert [tuple(row) for row in await shared.rows(tenant_id, threshold)] == still
    letters = await shared.rows(tenant_id, "SELECT template, fills->>'times' FROM wrtn_letters")
    assert [tuple(row) for row in letters] == [("top_up_stopped", "3")]

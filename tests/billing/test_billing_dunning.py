"""Dunning over the real tables, by a clock that is moved."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio

from chassis.audit.recording import AuditTrail
from chassis.database import Scope
from chassis.settings import SettingsError
from chassis.testing.clocks import MovableClock
from chassis.testing.databases import DatabaseFactory, ServiceDatabase
from services.billing.models import Invoice, KnownAccount, KnownEmployee, KnownEnterprise, PaymentMethod
from services.billing.payments import payments
from services.billing.payments.dunning import Dun
from services.billing.payments.schedule import Schedule, read
from services.billing.settings import BillingSettings
from tests.billing.test_billing_invoicing import KEYRING, open_invoice
from tests.usage import NEW
from wrtn.access.v1.access_pb2 import TITLE_OWNER
from wrtn.billing.v1.payments_pb2 import Payment

DAY = timedelta(days=1)
OVERDUE_DAY = BillingSettings.overdue_day
SCHEDULE = read(BillingSettings.dunning_days, OVERDUE_DAY)


@dataclass
class World:
    """Billing's tables, an enterprise that has not paid, and the clock."""

    database: ServiceDatabase
    clock: MovableClock
    tenant_id: UUID
    invoice: Invoice

    async def on_day(
        self, day: float, *, cards: bool = False, replicas: int = 1, by: Schedule = SCHEDULE
    ) -> None:
        """Duns so many days after the invoice was due."""
        assert self.invoice.due_time is not None
        self.clock.ahead += self.invoice.due_time + day * DAY - self.clock.now()
        dun = Dun(self.database.app, self.database.worker, cards=cards, schedule=by)
        await asyncio.gather(*(dun.run() for _ in range(replicas)))

    async def rows(self, query: str) -> list[tuple[Any, ...]]:
        async with self.database.app.snapshot(Scope.of(self.tenant_id)) as snapshot:
            return await (await (await snapshot.driver()).execute(query)).fetchall()

    async def letters(self) -> list[tuple[str, str]]:
        """The mails so far, by template and days."""
        query = "SELECT template, coalesce(fills->>'days', '') FROM wrtn_letters ORDER BY create_time, id"
        return [(template, days) for template, days in await self.rows(query)]

    async def told(self) -> list[tuple[str, int]]:
        """The events about the standing so far, each with its version."""
        with_owner = "SELECT split_part(subject, '.', 5), aggregate_version FROM wrtn_outbox"
        async with self.database.worker.snapshot(Scope()) as snapshot:
            cursor = await (await snapshot.driver()).execute(
                f"{with_owner} WHERE subject ~ 'payment.(overdue|recovered)' ORDER BY aggregate_version"
            )
            return [(fact, version) for fact, version in await cursor.fetchall()]

    async def pay(self, amount: str) -> None:
        """Books a transfer."""
        async with self.database.app.transaction(Scope.of(self.tenant_id)) as tx:
            total = Decimal(amount)
            await payments.book_transfer(
                tx, self.tenant_id, str(NEW()), total, "USD", invoice_id=self.invoice.id, reason="x"
            )


@pytest_asyncio.fixture
async def world(database: DatabaseFactory) -> AsyncIterator[World]:
    """An enterprise with an owner and one open invoice."""
    clock = MovableClock()
    made, tenant_id = await database("billing", clock=clock), NEW()
    made.app.auditor = AuditTrail("billing", KEYRING)
    invoice = await open_invoice(made, tenant_id, "100")
    async with made.app.transaction(Scope.of(tenant_id)) as tx:
        owner = KnownEmployee(
            tenant_id=tenant_id, employee_id=NEW(), member_id=NEW(), title=TITLE_OWNER, version=1
        )
        tx.session.add_all([owner, KnownEnterprise(tenant_id=tenant_id, time_zone="UTC", version=1)])
    yield World(made, clock, tenant_id, invoice)


async def test_reminders_come_on_their_days_then_the_grace_ends_and_paying_ends_all(world: World) -> None:
    for day in (-1, 0.5):
        await world.on_day(day)
    assert await world.letters() == []
    for day in range(1, OVERDUE_DAY):
        # Two replicas at once, and again after a restart.
        await world.on_day(day, replicas=2)
        await world.on_day(day + 0.1)
    reminders = [("payment_reminder", str(day)) for day in (1, 3, 5, 7)]
    assert await world.letters() == reminders
    assert await world.told() == []
    await world.on_day(OVERDUE_DAY, replicas=2)
    assert await world.letters() == [*reminders, ("payment_overdue", "14")]
    assert await world.told() == [("overdue", 1)]
    await world.pay("99")
    assert await world.told() == [("overdue", 1)]
    await world.pay("1")
    assert await world.told() == [("overdue", 1), ("recovered", 2)]
    assert (await world.letters())[-1] == ("payment_recovered", "")
    before = await world.letters()
    await world.on_day(60)
    assert await world.letters() == before


async def test_who_pays_before_the_grace_ends_hears_no_more(world: World) -> None:
    await world.on_day(1)
    await world.pay("100")
    for day in (3, 14, 20):
        await world.on_day(day)
    assert [template for template, _ in await world.letters()] == ["payment_reminder"]
    assert await world.told() == []


async def test_after_an_outage_nobody_is_overdue_without_reminders_a_day_apart(world: World) -> None:
    for day in (30, 30.5, 31.1, 32.2, 33.3):
        await world.on_day(day)
        assert await world.told() == []
    assert [days for _, days in await world.letters()] == ["1", "3", "5", "7"]
    await world.on_day(34.4)
    assert await world.told() == [("overdue", 1)]


async def test_an_invoice_that_is_given_up_ends_its_dunning(world: World) -> None:
    for day in (1, 3, 5, 7, 14):
        await world.on_day(day)
    async with world.database.app.transaction(Scope.of(world.tenant_id)) as tx:
        (await tx.session.get_one(Invoice, (world.tenant_id, world.invoice.id))).state = 5
    await world.on_day(15)
    assert await world.told() == [("overdue", 1), ("recovered", 2)]


async def test_each_step_charges_the_saved_card_once(world: World) -> None:
    async with world.database.app.transaction(Scope.of(world.tenant_id)) as tx:
        card = PaymentMethod(
            tenant_id=world.tenant_id,
            id=NEW(),
            provider_method_id="pm_1",
            card=b"",
            is_default=True,
            create_time=tx.now,
            delete_time=None,
            detach_time=None,
        )
        tx.session.add(card)
    query = "SELECT automatic, amount, state FROM wrtn_payments ORDER BY create_time"
    await world.on_day(1, replicas=2, cards=True)
    assert await world.rows(query) == [(True, 100, Payment.STATE_PENDING)]
    # One that is under way is waited for.
    await world.on_day(3, cards=True)
    assert len(await world.rows(query)) == 1
    async with world.database.app.transaction(Scope.of(world.tenant_id)) as tx:
        await (await tx.driver()).execute("UPDATE wrtn_payments SET state = 4")
    await world.on_day(5, cards=True)
    assert [state for _, _, state in await world.rows(query)] == [4, Payment.STATE_PENDING]


async def test_the_holder_of_a_personal_account_is_reminded(world: World) -> None:
    account_id, holder = NEW(), NEW()
    invoice = await open_invoice(world.database, account_id, "5", 2)
    async with world.database.app.transaction(Scope.of(account_id)) as tx:
        known = KnownAccount(tenant_id=account_id, account_id=account_id, holder_member_id=holder, version=1)
        tx.session.add(known)
    personal = World(world.database, world.clock, account_id, invoice)
    await personal.on_day(1)
    assert await personal.rows("SELECT member_id FROM wrtn_letters") == [(holder,)]


@pytest.mark.parametrize(
    ("due", "zone", "step", "expected"),
    [
        # Over the end of summer time the step keeps its hour; over a leap day and a month end its day.
        ("2026-10-24T07:00", "Europe/Berlin", 0, "2026-10-25T08:00"),
        ("2028-02-28T12:00", "UTC", 1, "2028-03-02T12:00"),
        ("2026-12-30T15:30", "Asia/Seoul", 2, "2027-01-04T15:30"),
    ],
)
def test_steps_keep_the_tenants_days(due: str, zone: str, step: int, expected: str) -> None:
    moment = datetime.fromisoformat(due).replace(tzinfo=UTC)
    found = SCHEDULE.time_of(step, moment, ZoneInfo(zone))
    assert found == datetime.fromisoformat(expected).replace(tzinfo=UTC)


def test_no_step_follows_the_last() -> None:
    assert SCHEDULE.time_of(len(SCHEDULE.days), datetime(2026, 1, 1, tzinfo=UTC), ZoneInfo("UTC")) is None


async def test_the_days_are_those_of_the_settings_also_where_they_become_fewer_meanwhile(
    world: World,
) -> None:
    mine = read("2,4,9", 4)
    for day in (1, 2, 4):
        await world.on_day(day, by=mine)
    assert await world.letters() == [("payment_reminder", "2"), ("payment_overdue", "4")]
    assert await world.told() == [("overdue", 1)]
    await world.on_day(10, by=read("5", 5))
    assert len(await world.letters()) == 2
    assert await world.rows("SELECT next_time FROM wrtn_dunnings") == [(None,)]


@pytest.mark.parametrize(
    ("days", "overdue"), [("", 1), ("a", 1), ("3,1", 3), ("1,1", 1), ("0,1", 1), ("366", 366), ("1,3", 2)]
)
def test_days_that_cannot_be_are_refused(days: str, overdue: int) -> None:
    with pytest.raises(SettingsError):
        read(days, overdue)

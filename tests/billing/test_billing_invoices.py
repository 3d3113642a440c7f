"""Invoices over the real service: drafted, finalised and downloaded."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from chassis.database import Scope
from chassis.testing.waiting import until
from services.billing.plans.plan_presets import PRESETS
from tests.billing.buyers import Buyer, found
from tests.billing.invoices import act, amounts, notes, usage_of, utc
from tests.billing.office import refused
from tests.usage import NEW, Person, recorded, tokens, usage
from wrtn.access.v1.access_pb2 import Duty, Title
from wrtn.billing.v1 import invoices_pb2 as pb
from wrtn.billing.v1.invoices_pb2 import Invoice

pytestmark = pytest.mark.asyncio(loop_scope="module")
SMALL = "openai/gpt-4.1-mini"
"""It costs 0.4 dollars a million input tokens."""
PRO = str(PRESETS["pro"][0])


def time_of(invoice: Invoice) -> tuple[datetime, datetime]:
    return invoice.start_time.ToDatetime(UTC), invoice.end_time.ToDatetime(UTC)


@pytest.mark.parametrize(
    ("zone", "used", "start", "end"),
    [
        # Clocks go forward within the month, and back.
        ("Europe/Berlin", utc(2027, 3, 31, 21, 59), utc(2027, 2, 28, 23), utc(2027, 3, 31, 22)),
        ("Europe/Berlin", utc(2026, 10, 31, 22, 59), utc(2026, 9, 30, 22), utc(2026, 10, 31, 23)),
        ("Asia/Seoul", utc(2028, 2, 29, 14, 59), utc(2028, 1, 31, 15), utc(2028, 2, 29, 15)),
        ("America/Los_Angeles", utc(2027, 1, 1, 7, 59), utc(2026, 12, 1, 8), utc(2027, 1, 1, 8)),
    ],
)
async def test_a_period_is_a_month_by_the_clock_on_the_wall(
    buyer: Buyer, zone: str, used: datetime, start: datetime, end: datetime
) -> None:
    buyer = await found(buyer, zone)
    await buyer.use(1_000_000, used)
    await buyer.use(1_000_000, end)
    just_before = end - timedelta(seconds=1)
    assert not await buyer.invoiced(*just_before.timetuple()[:6])
    (invoice,) = await buyer.invoiced(*end.timetuple()[:6])
    assert time_of(invoice) == (start, end)
    assert amounts(invoice) == ["2.00"]


async def test_person_team_enterprise_invoice_lines_and_ledger_agree_and_late_usage_is_on_the_next_one(
    buyer: Buyer,
) -> None:
    team, above = NEW(), NEW()
    buyer = await found(buyer, "UTC", "USD", team, above)
    people = [Person(buyer.id, (team, above)), Person(buyer.id, (above,)), Person(buyer.id)]
    for n in range(9):
        await buyer.use(
            1001 + n, utc(2026, 11, 1 + 3 * n, 5), people[n % 3], (SMALL, "openai/gpt-4.1")[n % 2]
        )
    assert not await buyer.invoiced(2026, 11, 30, 23, 59)
    (draft,) = await buyer.invoiced(2026, 12, 1)
    assert (draft.state, draft.number) == (Invoice.STATE_DRAFT, "")
    # Still in time, while it is a draft:
    await buyer.use(5_000_000, utc(2026, 11, 30, 23, 59, 59), people[0])
    (invoice,) = await buyer.invoiced(2026, 12, 1, 1)
    assert (invoice.state, invoice.number != "") == (Invoice.STATE_OPEN, True)
    assert time_of(invoice) == (utc(2026, 11, 1), utc(2026, 12, 1))
    late = await buyer.use(3_000_000, utc(2026, 11, 15), people[1])
    await buyer.use(500, utc(2026, 12, 2), people[2])
    first, second = await buyer.invoiced(2027, 1, 1, 2)
    assert first == invoice
    by_person, by_team, whole, ledger = [
        (await buyer.rows(query))[0][0]
        for query in (
            "SELECT sum(charge) FROM wrtn_holder_cost_days",
            "SELECT sum(charge) FROM wrtn_cost_days WHERE part_id <> tenant_id",
            "SELECT sum(charge) FROM wrtn_cost_days WHERE part_id = tenant_id",
            "SELECT -balance FROM wrtn_ledger_balances WHERE ledger_account = 'usage_revenue'",
        )
    ]
    lines = [line for each in (first, second) for line in each.lines]
    on_lines = sum(Decimal(line.exact_amount) for line in lines)
    assert by_person == by_team == whole == on_lines == ledger
    balances = await buyer.balances()
    assert balances["receivable"] == Decimal(first.total) + Decimal(second.total)
    assert sum(balances.values()) == 0
    for each in (first, second):
        rows = await usage_of(buyer, each)
        exact = sum(Decimal(line.exact_amount) for line in each.lines)
        assert sum(Decimal(row["charge"]) for row in rows) == exact
        assert len(rows) == sum(line.quantity for line in each.lines)
        assert (late.history_id in [row["history_id"] for row in rows]) == (each is second)


async def test_a_change_of_zone_cuts_no_usage_off_and_months_without_anything_make_no_invoice(
    buyer: Buyer,
) -> None:
    buyer = await found(buyer, "Asia/Seoul")
    await buyer.use(1_000_000, utc(2026, 11, 10))
    (first,) = await buyer.invoiced(2026, 11, 30, 17)
    await buyer.move("America/Los_Angeles")
    await buyer.use(1_000_000, utc(2026, 12, 1, 7))
    _, second = await buyer.invoiced(2027, 1, 1, 10)
    assert time_of(first)[1] == time_of(second)[0] == utc(2026, 11, 30, 15)
    assert time_of(second)[1] == utc(2027, 1, 1, 8)
    await buyer.use(1_000_000, utc(2027, 4, 10))
    third = (await buyer.invoiced(2027, 5, 10))[-1]
    assert time_of(third) == (utc(2027, 4, 1, 7), utc(2027, 5, 1, 7))
    # What comes for a month that was passed over is on the next one, too.
    await buyer.use(2_000_000, utc(2027, 2, 10))
    fourth = (await buyer.invoiced(2027, 6, 10))[-1]
    assert (time_of(fourth)[0], amounts(fourth)) == (utc(2027, 5, 1, 7), ["4.00"])


async def test_withdrawn_credited_and_given_up_invoices_leave_the_ledger_even(buyer: Buyer) -> None:
    await buyer.use(5_002_500, utc(2026, 11, 10))
    (invoice,) = await buyer.invoiced(2026, 12, 1, 1)
    assert invoice.total == "10.00"
    await act(buyer, "Void", invoice, reason="the wrong address")
    assert await buyer.balances() == {"receivable": Decimal("10.005"), "usage_revenue": Decimal("-10.005")}
    assert (await refused(act(buyer, "Void", invoice, reason="again")))[0] == "INVOICE_NOT_OPEN"
    _, again = await buyer.invoiced(2026, 12, 1, 2)
    assert (again.state, again.total, time_of(again)) == (Invoice.STATE_OPEN, "10.00", time_of(invoice))
    assert again.number > invoice.number
    rounding = (await buyer.balances())["rounding"]
    assert rounding == Decimal("0.005")
    over = act(buyer, "Credit", again, reason="sorry", amount="10.01")
    assert (await refused(over))[0] == "INVOICE_OVERPAID"
    note = await act(buyer, "Credit", again, reason="sorry", amount="2.5")
    assert (note.total, note.reason) == ("2.50", "sorry")
    assert (await refused(act(buyer, "Void", again, reason="late")))[0] == "INVOICE_PAID_IN_PART"
    given = await act(buyer, "WriteOff", again, reason="gone")
    assert (given.state, given.credited, given.due) == (Invoice.STATE_UNCOLLECTIBLE, "2.50", "7.50")
    balances = await buyer.balances()
    assert "receivable" not in balances
    assert balances["bad_debt"] == Decimal("7.50")
    assert [each.number for each in await notes(buyer)] == [note.number]


async def test_usage_that_is_being_rated_as_its_month_is_closed_is_on_that_invoice(buyer: Buyer) -> None:
    # They cost nothing, so that there is no ledger whose lock they take.
    await buyer.use(1_000_000, utc(2026, 11, 10), model="acme/unknown")
    await buyer.invoiced(2026, 12, 1)
    buyer.at(2026, 12, 1, 1)
    message = usage(Person(buyer.id), tokens(10), model="acme/unknown", at=utc(2026, 11, 30))
    async with buyer.running.runtime.db.transaction(Scope.of(buyer.id)) as tx:
        await buyer.rating.rate(tx, [recorded(message)])
        closing = asyncio.create_task(buyer.cycle().run())

        async def waits() -> bool:
            return bool(await buyer.rows("SELECT 1 FROM pg_locks WHERE NOT granted"))

        await until(waits)
    await closing
    (invoice,) = await buyer.invoiced(2026, 12, 1, 1)
    assert [(line.model, line.quantity) for line in invoice.lines] == [("acme/unknown", 2)]
    assert (invoice.state, invoice.number != "") == (Invoice.STATE_PAID, True)


async def test_who_does_not_pay_sees_no_invoice_and_what_staff_read_is_audited(buyer: Buyer) -> None:
    await buyer.use(1_000_000, utc(2026, 11, 10))
    (invoice,) = await buyer.invoiced(2026, 12, 1, 1)
    request = pb.GetInvoiceRequest(enterprise_id=str(buyer.id), invoice_id=invoice.id)
    payer = buyer.callers.employee(buyer.id, Title.TITLE_MANAGER, duties=[Duty.DUTY_BILLING])
    for by in (payer, buyer.administrator):
        assert (await buyer.invoices.GetInvoice(request, metadata=by.metadata)).id == invoice.id
    read = "SELECT count(*) FROM wrtn_audit_entries WHERE action = 'invoices.read'"
    assert await buyer.rows(read) == [(1,)]
    manager = buyer.callers.employee(buyer.id, Title.TITLE_MANAGER)
    other = await found(buyer)
    for by in (manager, other.owner):
        await refused(buyer.invoices.GetInvoice(request, metadata=by.metadata))
    foreign = pb.GetInvoiceRequest(enterprise_id=str(other.id), invoice_id=invoice.id)
    gone = buyer.invoices.GetInvoice(foreign, metadata=other.owner.metadata)
    assert (await refused(gone))[0] == "INVOICE_NOT_FOUND"
    assert (await refused(act(buyer, "Finalize", invoice)))[0] == "INVOICE_NOT_DRAFT"

"""Invoices over the real service: drafted, finalised and downloaded."""

from __future__ import annotations

import asyncio
import base64
import csv
import io
import re
import zlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from chassis.database import Scope
from chassis.testing.callers import Callers
from chassis.testing.databases import DatabaseFactory
from chassis.testing.serving import Serve
from chassis.testing.waiting import until
from services.billing.consumers import Rating
from services.billing.invoices.finalizing import finalize
from services.billing.main import wire
from services.billing.plans.plan_presets import PRESETS
from services.billing.pricing.price_list import PriceList
from services.billing.settings import BillingSettings
from tests.billing.buyers import Buyer, found, opened
from tests.billing.make import REAL
from tests.billing.office import refused
from tests.usage import NEW, Person, recorded, tokens, usage
from wrtn.access.v1.access_pb2 import Duty, Title
from wrtn.billing.v1 import invoice_settings_pb2, subscriptions_pb2
from wrtn.billing.v1 import invoices_pb2 as pb
from wrtn.billing.v1.invoices_pb2 import Invoice, InvoiceLine
from wrtn.billing.v1.invoices_pb2_grpc import InvoiceServiceStub

if TYPE_CHECKING:
    from wrtn.billing.v1.invoices_pb2_grpc import InvoiceServiceAsyncStub

ZERO = Decimal(0)
SMALL = "openai/gpt-4.1-mini"
"""It costs 0.4 dollars a million input tokens."""
PRO = str(PRESETS["pro"][0])


@pytest_asyncio.fixture
async def buyer(database: DatabaseFactory, serve: Serve, callers: Callers) -> AsyncIterator[Buyer]:
    async with opened(database, serve, callers, tax_rates="DE=19", seller="Seller Inc.|1 Road") as made:
        yield made


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc]


def time_of(invoice: Invoice) -> tuple[datetime, datetime]:
    return invoice.start_time.ToDatetime(UTC), invoice.end_time.ToDatetime(UTC)


def amounts(invoice: Invoice, *kinds: InvoiceLine.Kind.ValueType) -> list[str]:
    return [line.amount for line in invoice.lines if not kinds or line.kind in kinds]


async def download(buyer: Buyer, invoice: Invoice, what: str = "DownloadInvoiceUsage") -> bytes:
    request = getattr(pb, f"{what}Request")(enterprise_id=str(buyer.id), invoice_id=invoice.id)
    call = getattr(buyer.invoices, what)(request, metadata=buyer.owner.metadata)
    return b"".join([each.data async for each in call])


def text_of(pdf: bytes) -> str:
    """What a PDF shows, as far as it is ASCII."""
    pages = re.findall(rb"/ASCII85Decode /FlateDecode[^>]*>>\s*stream\r?\n(.*?)~>", pdf, re.DOTALL)
    drawn = b"".join(zlib.decompress(base64.a85decode(each)) for each in pages)
    return "".join(text.decode("latin-1") for text in re.findall(rb"\((.*?)\) Tj", drawn))


async def act(buyer: Buyer, verb: str, invoice: Invoice, **more: Any) -> Any:
    request = getattr(pb, f"{verb}InvoiceRequest")(enterprise_id=str(buyer.id), invoice_id=invoice.id, **more)
    call = getattr(buyer.invoices, f"{verb}Invoice")
    return await call(request, metadata=buyer.administrator.metadata)


async def subscribe(buyer: Buyer, verb: str = "Start", **more: Any) -> None:
    request = getattr(subscriptions_pb2, f"{verb}SubscriptionRequest")(enterprise_id=str(buyer.id), **more)
    call = getattr(buyer.subscriptions, f"{verb}Subscription")
    await call(request, metadata=buyer.administrator.metadata)


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
    assert (invoice.state, invoice.number) == (Invoice.STATE_OPEN, "INV-000001")
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
        rows = list(csv.DictReader(io.StringIO((await download(buyer, each)).decode())))
        exact = sum(Decimal(line.exact_amount) for line in each.lines)
        assert sum(Decimal(row["charge"]) for row in rows) == exact
        assert len(rows) == sum(line.quantity for line in each.lines)
        assert (late.history_id in [row["history_id"] for row in rows]) == (each is second)


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


async def test_fees_seats_discounts_credits_and_tax_are_on_the_invoice_and_in_the_ledger(
    buyer: Buyer,
) -> None:
    team = NEW()
    buyer = await found(buyer, "UTC", "USD", team)
    buyer.at(2026, 11, 1)
    wanted = invoice_settings_pb2.InvoiceSettings(
        legal_name="Käufer GmbH", address_lines=["Weg 1"], country="DE", tax_id="DE1", net_days=30
    )
    wanted.purchase_order = "PO-4711"
    wanted.cost_centres.add(team_id=str(team), code="CC-7")
    request = invoice_settings_pb2.SetInvoiceSettingsRequest(enterprise_id=str(buyer.id), settings=wanted)
    assert (await buyer.settings.SetInvoiceSettings(request, metadata=buyer.owner.metadata)).etag == "1"
    await subscribe(buyer, plan_id=PRO, seats=7)
    buyer.at(2026, 11, 16)
    await subscribe(buyer, "Change", plan_id=PRO, seats=9)
    await subscribe(buyer, "Discount", discount="50")
    buyer.at(2026, 11, 25)
    await buyer.use(2_000_000, utc(2026, 11, 20), Person(buyer.id, (team,)))
    asked = pb.PreviewInvoiceRequest(enterprise_id=str(buyer.id))
    seen = await buyer.invoices.PreviewInvoice(asked, metadata=buyer.owner.metadata)
    assert (seen.id, amounts(seen, InvoiceLine.KIND_USAGE)) == ("", ["4.00"])
    # While enterprise is away, a team is shown by its id.
    assert {line.team_name for line in seen.lines} == {""}
    buyer.directory.names = {str(team): "Research"}
    (invoice,) = await buyer.invoiced(2026, 12, 1, 1)
    assert [(line.kind, line.amount) for line in invoice.lines] == [
        (InvoiceLine.KIND_PRORATION, "25.00"),
        (InvoiceLine.KIND_PRORATION, "10.00"),
        (InvoiceLine.KIND_PRORATION, "25.00"),
        (InvoiceLine.KIND_DISCOUNT, "-12.50"),
        (InvoiceLine.KIND_PRORATION, "20.00"),
        (InvoiceLine.KIND_DISCOUNT, "-10.00"),
        (InvoiceLine.KIND_USAGE, "4.00"),
        (InvoiceLine.KIND_CREDITS, "-4.00"),
    ]
    assert [(line.team_name, line.cost_centre) for line in invoice.lines if line.team_id] == [
        ("Research", "CC-7")
    ]
    assert (invoice.subtotal, invoice.tax, invoice.total) == ("57.50", "10.92", "68.42")
    due = invoice.due_time.ToDatetime(UTC) - invoice.finalize_time.ToDatetime(UTC)
    assert (due.days, invoice.buyer.tax_id, invoice.buyer.purchase_order) == (30, "DE1", "PO-4711")
    balances = await buyer.balances()
    assert balances["receivable"] == Decimal("68.42")
    assert (balances["tax"], balances["fee_revenue"]) == (Decimal("-10.92"), Decimal("-57.5"))
    stored = await buyer.rows("SELECT details FROM wrtn_invoice_settings")
    assert b"K\xc3\xa4ufer" not in stored[0][0]
    # What was set later is not on it.
    request.settings.legal_name = "Other"
    request.settings.etag = "0"
    stale = buyer.settings.SetInvoiceSettings(request, metadata=buyer.owner.metadata)
    assert (await refused(stale))[0] == "ETAG_MISMATCH"
    request.settings.etag = "1"
    await buyer.settings.SetInvoiceSettings(request, metadata=buyer.owner.metadata)
    buyer.directory.names = {str(team): "Renamed"}
    (after,) = await buyer.invoiced(2026, 12, 2)
    assert (after.buyer.legal_name, after.lines) == ("Käufer GmbH", invoice.lines)
    shown = text_of(await download(buyer, invoice, "DownloadInvoice"))
    for expected in ("Invoice INV-000001", "Seller Inc.", "Purchase order: PO-4711", "CC-7", "Due USD"):
        assert expected in shown
    assert ("openai/gpt-4.1, Research" in shown, "Tax 19 %" in shown, "68.42" in shown) == (True,) * 3


async def test_withdrawn_credited_and_given_up_invoices_leave_the_ledger_even(buyer: Buyer) -> None:
    buyer = await found(buyer)
    await buyer.use(5_002_500, utc(2026, 11, 10))
    (invoice,) = await buyer.invoiced(2026, 12, 1, 1)
    assert invoice.total == "10.00"
    await act(buyer, "Void", invoice, reason="the wrong address")
    assert await buyer.balances() == {"receivable": Decimal("10.005"), "usage_revenue": Decimal("-10.005")}
    assert (await refused(act(buyer, "Void", invoice, reason="again")))[0] == "INVOICE_NOT_OPEN"
    _, again = await buyer.invoiced(2026, 12, 1, 2)
    assert (again.state, again.total, time_of(again)) == (Invoice.STATE_OPEN, "10.00", time_of(invoice))
    assert again.number == "INV-000002"
    rounding = (await buyer.balances())["rounding"]
    assert rounding == Decimal("0.005")
    over = act(buyer, "Credit", again, reason="sorry", amount="10.01")
    assert (await refused(over))[0] == "INVOICE_OVERPAID"
    note = await act(buyer, "Credit", again, reason="sorry", amount="2.5")
    assert (note.number, note.total, note.reason) == ("CN-000001", "2.50", "sorry")
    assert (await refused(act(buyer, "Void", again, reason="late")))[0] == "INVOICE_PAID_IN_PART"
    given = await act(buyer, "WriteOff", again, reason="gone")
    assert (given.state, given.credited, given.due) == (Invoice.STATE_UNCOLLECTIBLE, "2.50", "7.50")
    balances = await buyer.balances()
    assert "receivable" not in balances
    assert balances["bad_debt"] == Decimal("7.50")
    asked = pb.ListCreditNotesRequest(enterprise_id=str(buyer.id))
    listed = await buyer.invoices.ListCreditNotes(asked, metadata=buyer.owner.metadata)
    assert [each.number for each in listed.credit_notes] == ["CN-000001"]


async def test_numbers_have_no_gaps_where_two_services_race_and_some_transactions_fail(
    buyer: Buyer, serve: Serve
) -> None:
    buyers = [await found(buyer) for _ in range(6)]
    for each in buyers:
        await each.use(1_000_000, utc(2026, 11, 10))
    await buyer.invoiced(2026, 12, 1)
    buyer.at(2026, 12, 1, 1)
    other = await serve("billing", BillingSettings, wire, database=buyer.database, clock=buyer.clock)

    async def finalized(each: Buyer, service: InvoiceServiceAsyncStub) -> None:
        ((invoice_id,),) = await each.rows("SELECT id FROM wrtn_invoices")
        request = pb.FinalizeInvoiceRequest(enterprise_id=str(each.id), invoice_id=str(invoice_id))
        await service.FinalizeInvoice(request, metadata=each.administrator.metadata)

    async def failing(each: Buyer) -> None:
        ((invoice_id,),) = await each.rows("SELECT id FROM wrtn_invoices")
        async with other.runtime.db.transaction(Scope.of(each.id)) as tx:
            await finalize(tx, each.cycle().drafter, each.id, invoice_id)
            raise RuntimeError

    async with other.channel() as channel:
        services = (buyer.invoices, InvoiceServiceStub(channel))
        tasks = [failing(each) for each in buyers]
        tasks += [finalized(each, service) for each in buyers for service in services]
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert sum(outcome is None for outcome in outcomes) == 6
    numbers = [(await each.rows("SELECT number FROM wrtn_invoices"))[0][0] for each in buyers]
    assert sorted(numbers) == [1, 2, 3, 4, 5, 6]


async def test_usage_that_is_being_rated_as_its_month_is_closed_is_on_that_invoice(buyer: Buyer) -> None:
    buyer = await found(buyer)
    # They cost nothing, so that there is no ledger whose lock they take.
    await buyer.use(1_000_000, utc(2026, 11, 10), model="acme/unknown")
    await buyer.invoiced(2026, 12, 1)
    buyer.at(2026, 12, 1, 1)
    message = usage(Person(buyer.id), tokens(10), model="acme/unknown", at=utc(2026, 11, 30))
    async with buyer.running.runtime.db.transaction(Scope.of(buyer.id)) as tx:
        await Rating(PriceList(REAL)).rate(tx, [recorded(message)])
        closing = asyncio.create_task(buyer.cycle().run())

        async def waits() -> bool:
            return bool(await buyer.rows("SELECT 1 FROM pg_locks WHERE NOT granted"))

        await until(waits)
    await closing
    (invoice,) = await buyer.invoiced(2026, 12, 1, 1)
    assert [(line.model, line.quantity) for line in invoice.lines] == [("acme/unknown", 2)]
    assert (invoice.state, invoice.number) == (Invoice.STATE_PAID, "INV-000001")


async def test_who_does_not_pay_sees_no_invoice_and_what_staff_read_is_audited(buyer: Buyer) -> None:
    buyer = await found(buyer)
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

"""Corrections reach the bill: with their usage, or by credit notes and on the next invoice."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from chassis.clock import Clock
from chassis.database import Scope
from chassis.database.failures import TransactionConflict
from chassis.embedded.nats import Nats
from chassis.testing.brokers import emptied
from chassis.testing.callers import Callers
from chassis.testing.databases import Templates, databases
from chassis.testing.serving import starting
from chassis.testing.waiting import until
from services.billing.invoices.correcting_invoices import CorrectedTenant
from services.billing.invoices.finalizing import finalize
from services.billing.invoices.invoicing import credit_note, mark_paid
from services.billing.models import KnownAccount
from services.billing.store.reconciling import Books
from services.billing.wallets import wallets
from tests.billing.buyers import Buyer, found, opened
from tests.usage import NEW, Person, freelancer
from wrtn.billing.v1 import corrections_pb2, invoice_settings_pb2, prices_pb2
from wrtn.billing.v1 import invoices_pb2 as pb
from wrtn.billing.v1.corrections_pb2_grpc import CorrectionServiceStub
from wrtn.billing.v1.invoices_pb2 import Invoice, InvoiceLine
from wrtn.billing.v1.price_rules_pb2 import PriceRates
from wrtn.billing.v1.prices_pb2_grpc import PriceServiceStub

pytestmark = pytest.mark.asyncio(loop_scope="module")
MILLION = 1_000_000
_STATES = corrections_pb2.Correction


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(templates: Templates, nats_server: Nats, peer_keys: Path) -> AsyncIterator[Buyer]:
    """Billing under a still clock, shared by the tests; each has enterprises and a model of its own."""
    clock = Clock()
    callers = Callers(clock, peer_keys)
    async with (
        databases(templates, clock) as database,
        emptied(nats_server) as broker,
        starting(database, broker, callers) as serve,
        opened(database, serve, callers, tax_rates="DE=19") as made,
    ):
        yield made


async def priced(buyer: Buyer, model: str, per_million: str = "10") -> str:
    """Sets a price of our own since the beginning of November; answers its id."""
    asked = prices_pb2.Price(model=model, input_per_million=per_million)
    asked.effective_time.FromDatetime(datetime(2026, 11, 1, tzinfo=UTC))
    request = prices_pb2.CreatePriceRequest(price=asked)
    async with buyer.running.channel() as channel:
        by = buyer.administrator.metadata
        return (await PriceServiceStub(channel).CreatePrice(request, metadata=by)).id


async def corrected(buyer: Buyer, price_id: str, per_million: str) -> str:
    """Corrects all usage by a price, with the approval of two others at once; answers the correction's id."""
    rates = PriceRates(input_per_million=per_million)
    request = corrections_pb2.CreateCorrectionRequest(price_id=price_id, rates=rates, reason="Misread.")
    # What was rated in the very moment of the proposal is not corrected.
    buyer.clock.moment += timedelta(seconds=1)
    async with buyer.running.channel() as channel:
        service, by = CorrectionServiceStub(channel), buyer.administrator
        made = await service.CreateCorrection(request, metadata=by.metadata)
        asked = corrections_pb2.GetCorrectionRequest(correction_id=made.id)

        async def reached(state: int) -> None:
            async def there() -> bool:
                # For work that failed and waits for its time.
                buyer.clock.moment += timedelta(seconds=1)
                return (await service.GetCorrection(asked, metadata=by.metadata)).state == state

            await until(there, 30)

        await reached(_STATES.STATE_PROPOSED)
        approval = corrections_pb2.ApproveCorrectionRequest(correction_id=made.id)
        others = [buyer.administrator for _ in range(2)]
        tries = [service.ApproveCorrection(approval, metadata=each.metadata) for each in others]
        decided = await asyncio.gather(*tries, return_exceptions=True)
        assert sum(isinstance(each, BaseException) for each in decided) == 1
        await reached(_STATES.STATE_APPLIED)
    return made.id


async def invoices(buyer: Buyer) -> list[Invoice]:
    """All invoices with their lines, the oldest first."""
    asked = pb.ListInvoicesRequest(enterprise_id=str(buyer.id))
    listed = await buyer.invoices.ListInvoices(asked, metadata=buyer.owner.metadata)
    get = (pb.GetInvoiceRequest(enterprise_id=str(buyer.id), invoice_id=each.id) for each in listed.invoices)
    return [await buyer.invoices.GetInvoice(each, metadata=buyer.owner.metadata) for each in get][::-1]


async def notes(buyer: Buyer) -> Sequence[pb.CreditNote]:
    """All credit notes, the oldest first."""
    asked = pb.ListCreditNotesRequest(enterprise_id=str(buyer.id))
    listed = await buyer.invoices.ListCreditNotes(asked, metadata=buyer.owner.metadata)
    return listed.credit_notes[::-1]


async def preview(buyer: Buyer) -> Invoice:
    request = pb.PreviewInvoiceRequest(enterprise_id=str(buyer.id))
    return await buyer.invoices.PreviewInvoice(request, metadata=buyer.owner.metadata)


def lines(invoice: Invoice | pb.CreditNote, *kinds: InvoiceLine.Kind.ValueType) -> list[tuple[str, str]]:
    """The team and amount of each line of these kinds."""
    return [(line.team_id, line.amount) for line in invoice.lines if line.kind in kinds]


USAGE, CORRECTION = InvoiceLine.KIND_USAGE, InvoiceLine.KIND_CORRECTION


async def agreed(buyer: Buyer, *, due: str | None = None) -> dict[str, Decimal]:
    """The balances, once all the books agree and the open invoices have due what is receivable."""
    async with buyer.database.app.snapshot(Scope.of(buyer.id)) as snapshot:
        books = await Books(snapshot, buyer.id).sums()
    assert len({*books.values()}) == 1, books
    balances = await buyer.balances()
    assert sum(balances.values()) == 0
    if due is not None:
        standing = [each for each in await invoices(buyer) if each.state == Invoice.STATE_OPEN]
        assert sum(Decimal(each.due) for each in standing) == Decimal(due) == balances.get("receivable", 0)
    return balances


async def detail(buyer: Buyer, invoice: Invoice) -> list[dict[str, str]]:
    """The rows of the CSV, which add up to the lines of usage and correction exactly."""
    request = pb.DownloadInvoiceUsageRequest(enterprise_id=str(buyer.id), invoice_id=invoice.id)
    call = buyer.invoices.DownloadInvoiceUsage(request, metadata=buyer.owner.metadata)
    text = b"".join([each.data async for each in call]).decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    exact = sum(Decimal(line.exact_amount) for line in invoice.lines if line.kind in (USAGE, CORRECTION))
    assert sum(Decimal(row["charge"]) for row in rows) == exact
    return rows


async def settings(buyer: Buyer, team: UUID) -> None:
    """Has the tax of Germany, and a cost centre for a team."""
    wanted = invoice_settings_pb2.InvoiceSettings(legal_name="Käufer GmbH", country="DE", net_days=30)
    wanted.cost_centres.add(team_id=str(team), code="CC-7")
    request = invoice_settings_pb2.SetInvoiceSettingsRequest(enterprise_id=str(buyer.id), settings=wanted)
    await buyer.settings.SetInvoiceSettings(request, metadata=buyer.owner.metadata)


async def test_a_correction_before_and_after_the_invoice_either_way_is_billed_once_with_its_tax(
    service: Buyer,
) -> None:
    one, two = sorted((NEW(), NEW()))
    buyer, model = await found(service, "UTC", "USD", one, two), "acme/both-ways"
    await settings(buyer, one)
    at = buyer.at(2026, 11, 10)
    price = await priced(buyer, model)
    people = (Person(buyer.id), Person(buyer.id, (one, two)), Person(buyer.id, (two,)))
    for person, used in zip(people, (MILLION // 2, MILLION, 2 * MILLION), strict=True):
        await buyer.use(used, at, person, model)
    teams = ("", str(one), str(two))

    def of(*amounts: str) -> list[tuple[str, str]]:
        return list(zip(teams, amounts, strict=True))

    # Before the end of the month, and while there is a draft: the usage is invoiced as corrected.
    await corrected(buyer, price, "8")
    assert lines(await preview(buyer), USAGE) == of("4.00", "8.00", "16.00")
    await buyer.invoiced(2026, 12, 1)
    second = await corrected(buyer, price, "9")
    (invoice,) = await buyer.invoiced(2026, 12, 1, 1)
    assert lines(invoice, *InvoiceLine.Kind.values()) == of("4.50", "9.00", "18.00")
    assert (invoice.subtotal, invoice.tax, invoice.total) == ("31.50", "5.98", "37.48")
    assert not await notes(buyer)
    assert [row["charge"] for row in await detail(buyer, invoice) if row["correction_id"] == second] == [
        row["charge"] for row in await detail(buyer, invoice) if row["charge"] in ("0.5", "1", "2")
    ]
    await agreed(buyer, due="37.48")

    # After it: a credit note on that very invoice, which itself stays as it is.
    buyer.at(2026, 12, 5)
    await corrected(buyer, price, "6")
    (note,) = await notes(buyer)
    assert (note.invoice_id, note.subtotal, note.tax, note.total) == (invoice.id, "10.50", "2.00", "12.50")
    assert lines(note, CORRECTION) == of("1.50", "3.00", "6.00")
    assert [line.cost_centre for line in note.lines] == ["", "CC-7", ""]
    (after,) = await invoices(buyer)
    assert (after.credited, after.due, after.lines) == ("12.50", "24.98", invoice.lines)
    await detail(buyer, after)
    await agreed(buyer, due="24.98")

    # Too little: a line of the next invoice, which names the one that it corrects.
    buyer.at(2026, 12, 10)
    await corrected(buyer, price, "10")
    assert lines(await preview(buyer), CORRECTION) == of("2.00", "4.00", "8.00")
    assert lines(await preview(buyer), USAGE) == []
    first, following = await buyer.invoiced(2027, 1, 1, 1)
    assert first == after
    assert lines(following, *InvoiceLine.Kind.values()) == of("2.00", "4.00", "8.00")
    assert {(line.corrected_invoice_id, line.description) for line in following.lines} == {
        (invoice.id, invoice.number)
    }
    assert (following.subtotal, following.tax, following.total) == ("14.00", "2.66", "16.66")
    rows = await detail(buyer, following)
    assert {row["history_id"] for row in rows} == {row["history_id"] for row in await detail(buyer, first)}
    await agreed(buyer, due="41.64")

    # Never more than is left of the invoice: the rest, which the other one has, comes back as credits.
    buyer.at(2027, 1, 5)
    await corrected(buyer, price, "0")
    first, following = await invoices(buyer)
    assert (first.state, first.credited) == (Invoice.STATE_PAID, "37.48")
    assert [each.total for each in await notes(buyer)] == ["12.50", "24.98"]
    balances = await agreed(buyer, due="16.66")
    assert balances == {"receivable": Decimal("16.66"), "tax": Decimal("-2.66"), "wallet": Decimal(-14)}


async def test_credits_that_paid_for_what_is_not_charged_any_more_come_back_and_increases_burn(
    service: Buyer,
) -> None:
    model = "acme/credits"
    at = service.at(2026, 11, 10)
    price = await priced(service, model)
    buyer, open_one, credited = [await found(service) for _ in range(3)]
    alone = freelancer()
    person = Buyer(**{**vars(service), "id": alone.tenant_id})
    async with service.database.app.transaction(Scope.of(person.id)) as tx:
        account = KnownAccount(
            tenant_id=person.id, account_id=person.id, holder_member_id=alone.member_id, version=1
        )
        tx.session.add(account)
    for each, given in ((buyer, 6), (open_one, 10), (person, 6), (credited, 6)):
        async with service.running.runtime.db.transaction(Scope.of(each.id)) as tx:
            await wallets.bonus(tx, each.id, Decimal(given), "USD", reference="test")
    await buyer.use(MILLION, at, Person(buyer.id), model)
    await credited.use(MILLION, at, Person(credited.id), model)
    await person.use(MILLION, at, alone, model)
    (invoice,) = await buyer.invoiced(2026, 12, 1, 1)
    assert invoice.total == "4.00"
    await act(credited, "Credit", (await invoices(credited))[0], amount="4")
    await open_one.use(MILLION, service.at(2026, 12, 2), Person(open_one.id), model)
    await corrected(service, price, "5")

    # Four of five by the credit note, which is all that is left; the fifth was paid with a credit.
    assert [(each.invoice_id, each.total) for each in await notes(buyer)] == [(invoice.id, "4.00")]
    assert await agreed(buyer, due="0") == {
        "usage_revenue": Decimal(-5),
        "bonus_expense": Decimal(6),
        "wallet": Decimal(-1),
    }
    # Of ten credits five come back at once, and the invoice shows the others.
    assert (await agreed(open_one))["wallet"] == Decimal(-5)
    seen = await preview(open_one)
    assert [line.amount for line in seen.lines] == ["5.00", "-5.00"]
    # Who has no invoices owed four of ten: one credit comes back.
    assert await agreed(person) == {
        "usage_revenue": Decimal(-5),
        "bonus_expense": Decimal(6),
        "wallet": Decimal(-1),
    }

    await corrected(service, price, "7")
    for each, owed in ((buyer, 1), (person, 1), (open_one, 0)):
        balances = await agreed(each)
        assert balances.get("receivable", 0) == owed, balances
        assert balances["usage_revenue"] == -7
    # Two were too little, of which one is paid with the credit.
    following = (await buyer.invoiced(2027, 1, 1, 1))[-1]
    assert [line.amount for line in following.lines] == ["2.00", "-1.00"]
    await agreed(buyer, due="1")

    # All of it was wrong: what was paid otherwise comes back, and nothing that came back before.
    service.at(2027, 1, 5)
    await corrected(service, price, "0")
    for each, owed, left in ((buyer, 1, 7), (person, 0, 6), (open_one, 0, 10), (credited, 0, 6)):
        balances = await agreed(each)
        assert balances["wallet"] == -left
        assert balances.get("receivable", 0) == owed


async def test_what_was_paid_given_up_withdrawn_or_credited_before_is_corrected_as_it_stands(
    service: Buyer,
) -> None:
    model, at = "acme/paid", service.at(2026, 11, 10)
    price = await priced(service, model)
    paid, given_up, withdrawn, credited = [await found(service) for _ in range(4)]
    for each in (paid, given_up, withdrawn, credited):
        await each.use(MILLION, at, Person(each.id), model)
    ((first,), (second,), (third,), (fourth,)) = [
        await each.invoiced(2026, 12, 1, 1) for each in (paid, given_up, withdrawn, credited)
    ]
    async with service.running.runtime.db.transaction(Scope.of(paid.id)) as tx:
        await mark_paid(tx, paid.id, UUID(first.id), NEW(), Decimal(10))
    await act(given_up, "WriteOff", second)
    await act(withdrawn, "Void", third)
    await act(credited, "Credit", fourth, amount="8")
    await corrected(service, price, "5")

    assert (await agreed(paid))["refunds"] == -5
    (second,) = await invoices(given_up)
    assert (second.state, second.credited, second.due) == (Invoice.STATE_UNCOLLECTIBLE, "5.00", "5.00")
    assert await agreed(given_up) == {"usage_revenue": Decimal(-5), "bad_debt": Decimal(5)}
    assert not await notes(withdrawn)
    _, again = await withdrawn.invoiced(2026, 12, 1, 2)
    assert (lines(again, USAGE), again.total) == ([("", "5.00")], "5.00")
    await agreed(withdrawn, due="5")
    # Of what was credited before, only what is left.
    assert [each.total for each in await notes(credited)] == ["8.00", "2.00"]
    assert (await agreed(credited, due="0")).keys() == set()


async def act(buyer: Buyer, verb: str, invoice: Invoice, **more: Any) -> None:
    """Has an administrator do something to an invoice."""
    request = getattr(pb, f"{verb}InvoiceRequest")(
        enterprise_id=str(buyer.id), invoice_id=invoice.id, reason="because", **more
    )
    await getattr(buyer.invoices, f"{verb}Invoice")(request, metadata=buyer.administrator.metadata)


async def test_a_crash_between_tenants_and_within_one_credits_each_once(
    service: Buyer, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, at = "acme/crash", service.at(2026, 11, 10)
    price = await priced(service, model)
    buyers = sorted([await found(service) for _ in range(3)], key=lambda each: each.id)
    for each in buyers:
        await each.use(MILLION, at, Person(each.id), model)
        # Less than a cent, so that the rounding of a line is in it, too.
        await each.use(333, at, Person(each.id, (NEW(),)), model)
    for each in buyers:
        assert len(await each.invoiced(2026, 12, 1, 1)) == 1
    calls = list[UUID]()

    async def crashing(*args: Any) -> Any:
        note = await credit_note(*args)
        calls.append(args[2])
        if len(calls) in (2, 3):
            raise (RuntimeError, TransactionConflict("Two waited for each other."))[len(calls) - 2]
        return note

    monkeypatch.setattr(f"{CorrectedTenant.__module__}.credit_note", crashing)
    await corrected(service, price, "9.5")
    assert calls == [buyers[0].id, *(buyers[1].id for _ in range(3)), buyers[2].id]
    numbers = []
    for each in buyers:
        (note,) = await notes(each)
        assert (note.invoice_id != "", note.total) == (True, "0.50")
        numbers.append(int(note.number.removeprefix("CN-")))
        await agreed(each, due="9.50")
    # The number of the one that crashed went to the next.
    assert numbers == list(range(numbers[0], numbers[0] + 3))


async def test_an_invoice_that_is_finalised_meanwhile_is_waited_for_and_then_credited(service: Buyer) -> None:
    buyer, model, at = await found(service), "acme/meanwhile", service.at(2026, 11, 10)
    price = await priced(service, model)
    await buyer.use(MILLION, at, Person(buyer.id), model)
    (draft,) = await buyer.invoiced(2026, 12, 1)
    async with buyer.running.runtime.db.transaction(Scope.of(buyer.id)) as tx:
        await finalize(tx, buyer.cycle().drafter, buyer.id, UUID(draft.id))
        correcting = asyncio.create_task(corrected(buyer, price, "4"))

        async def waits() -> bool:
            return bool(await buyer.rows("SELECT 1 FROM pg_locks WHERE NOT granted"))

        await until(waits, 30)
    await correcting
    assert [each.total for each in await notes(buyer)] == ["6.00"]
    await agreed(buyer, due="4")

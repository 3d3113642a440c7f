"""Corrections reach the bill: with their usage, or by credit notes and on the next invoice."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from chassis.database import Scope
from chassis.database.failures import TransactionConflict
from chassis.testing.waiting import until
from services.billing.invoices.correcting_invoices import CorrectedTenant
from services.billing.invoices.finalizing import finalize
from services.billing.invoices.invoicing import credit_note, mark_paid
from tests.billing.buyers import Buyer, found
from tests.billing.correcting import CORRECTION, MILLION, USAGE, agreed, corrected, detail, lines, priced
from tests.billing.invoices import act, bill_to, notes, preview
from tests.usage import NEW, Person
from wrtn.billing.v1.invoices_pb2 import Invoice

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def used_by_teams(shop: Buyer, model: str) -> tuple[Buyer, str, list[str]]:
    """Has half a million tokens used without a team, one and two million in two teams, at ten dollars each.

    Answers who used them, the price, and the teams in the order of lines; tax is Germany's.
    """
    one, two = sorted((NEW(), NEW()))
    buyer = await found(shop, "UTC", "USD", one, two)
    await bill_to(buyer, "Käufer GmbH", "DE", team=one, net_days=30)
    at = buyer.at(2026, 11, 10)
    price = await priced(buyer, model)
    people = (Person(buyer.id), Person(buyer.id, (one, two)), Person(buyer.id, (two,)))
    for person, used in zip(people, (MILLION // 2, MILLION, 2 * MILLION), strict=True):
        await buyer.use(used, at, person, model)
    return buyer, price, ["", str(one), str(two)]


async def test_usage_is_invoiced_as_corrected_before_its_month_ends_and_while_there_is_a_draft(
    shop: Buyer,
) -> None:
    buyer, price, teams = await used_by_teams(shop, "acme/before")
    await corrected(buyer, price, "8")
    assert lines(await preview(buyer), USAGE) == [*zip(teams, ("4.00", "8.00", "16.00"), strict=True)]
    await buyer.invoiced(2026, 12, 1)
    second = await corrected(buyer, price, "9")
    (invoice,) = await buyer.invoiced(2026, 12, 1, 1)
    assert lines(invoice) == [*zip(teams, ("4.50", "9.00", "18.00"), strict=True)]
    assert (invoice.subtotal, invoice.tax, invoice.total) == ("31.50", "5.98", "37.48")
    assert not await notes(buyer)
    rows = await detail(buyer, invoice)
    assert [row["charge"] for row in rows if row["correction_id"] == second] == [
        row["charge"] for row in rows if row["charge"] in ("0.5", "1", "2")
    ]
    await agreed(buyer, due="37.48")


async def test_after_the_invoice_less_is_a_credit_note_on_it_and_more_is_on_the_next_one(
    shop: Buyer,
) -> None:
    buyer, price, teams = await used_by_teams(shop, "acme/after")
    await corrected(buyer, price, "9")
    (invoice,) = await buyer.invoiced(2026, 12, 1, 1)

    # Too much: a credit note on that very invoice, which itself stays as it is.
    buyer.at(2026, 12, 5)
    await corrected(buyer, price, "6")
    (note,) = await notes(buyer)
    assert (note.invoice_id, note.subtotal, note.tax, note.total) == (invoice.id, "10.50", "2.00", "12.50")
    assert lines(note, CORRECTION) == [*zip(teams, ("1.50", "3.00", "6.00"), strict=True)]
    assert [line.cost_centre for line in note.lines] == ["", "CC-7", ""]
    (after,) = await buyer.all_invoices()
    assert (after.credited, after.due, after.lines) == ("12.50", "24.98", invoice.lines)
    await detail(buyer, after)
    await agreed(buyer, due="24.98")

    # Too little: a line of the next invoice, which names the one that it corrects.
    buyer.at(2026, 12, 10)
    await corrected(buyer, price, "10")
    seen = await preview(buyer)
    assert lines(seen) == lines(seen, CORRECTION) == [*zip(teams, ("2.00", "4.00", "8.00"), strict=True)]
    first, following = await buyer.invoiced(2027, 1, 1, 1)
    assert (first, lines(following)) == (after, lines(seen))
    assert {(line.corrected_invoice_id, line.description) for line in following.lines} == {
        (invoice.id, invoice.number)
    }
    assert (following.subtotal, following.tax, following.total) == ("14.00", "2.66", "16.66")
    histories = [{row["history_id"] for row in await detail(buyer, each)} for each in (first, following)]
    assert histories[0] == histories[1]
    await agreed(buyer, due="41.64")

    # Never more than is left of the invoice: the rest, which the other one has, comes back as credits.
    buyer.at(2027, 1, 5)
    await corrected(buyer, price, "0")
    first, following = await buyer.all_invoices()
    assert (first.state, first.credited) == (Invoice.STATE_PAID, "37.48")
    assert [each.total for each in await notes(buyer)] == ["12.50", "24.98"]
    balances = await agreed(buyer, due="16.66")
    assert balances == {"receivable": Decimal("16.66"), "tax": Decimal("-2.66"), "wallet": Decimal(-14)}


async def test_what_was_paid_given_up_withdrawn_or_credited_before_is_corrected_as_it_stands(
    shop: Buyer,
) -> None:
    model, at = "acme/paid", shop.at(2026, 11, 10)
    price = await priced(shop, model)
    paid, given_up, withdrawn, credited = [await found(shop) for _ in range(4)]
    for each in (paid, given_up, withdrawn, credited):
        await each.use(MILLION, at, Person(each.id), model)
    ((first,), (second,), (third,), (fourth,)) = [
        await each.invoiced(2026, 12, 1, 1) for each in (paid, given_up, withdrawn, credited)
    ]
    async with shop.running.runtime.db.transaction(Scope.of(paid.id)) as tx:
        await mark_paid(tx, paid.id, UUID(first.id), NEW(), Decimal(10))
    await act(given_up, "WriteOff", second, reason="gone")
    await act(withdrawn, "Void", third, reason="wrong")
    await act(credited, "Credit", fourth, amount="8", reason="sorry")
    await corrected(shop, price, "5")

    assert (await agreed(paid))["refunds"] == -5
    (second,) = await given_up.all_invoices()
    assert (second.state, second.credited, second.due) == (Invoice.STATE_UNCOLLECTIBLE, "5.00", "5.00")
    assert await agreed(given_up) == {"usage_revenue": Decimal(-5), "bad_debt": Decimal(5)}
    assert not await notes(withdrawn)
    _, again = await withdrawn.invoiced(2026, 12, 1, 2)
    assert (lines(again, USAGE), again.total) == ([("", "5.00")], "5.00")
    await agreed(withdrawn, due="5")
    # Of what was credited before, only what is left.
    assert [each.total for each in await notes(credited)] == ["8.00", "2.00"]
    assert (await agreed(credited, due="0")).keys() == set()


async def test_a_crash_between_tenants_and_within_one_credits_each_once(
    shop: Buyer, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, at = "acme/crash", shop.at(2026, 11, 10)
    price = await priced(shop, model)
    buyers = sorted([await found(shop) for _ in range(3)], key=lambda each: each.id)
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
    await corrected(shop, price, "9.5")
    assert calls == [buyers[0].id, *(buyers[1].id for _ in range(3)), buyers[2].id]
    numbers = []
    for each in buyers:
        (note,) = await notes(each)
        assert (note.invoice_id != "", note.total) == (True, "0.50")
        numbers.append(int(note.number.removeprefix("CN-")))
        await agreed(each, due="9.50")
    # The number of the one that crashed went to the next.
    assert numbers == list(range(numbers[0], numbers[0] + 3))


async def test_an_invoice_that_is_finalised_meanwhile_is_waited_for_and_then_credited(shop: Buyer) -> None:
    buyer, model, at = await found(shop), "acme/meanwhile", shop.at(2026, 11, 10)
    price = await priced(shop, model)
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

"""Plans that include tokens: what they cover is taken off the invoice, whatever came first."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from chassis.database import Scope
from chassis.testing.waiting import until
from services.billing.plans.fees import Stretch, fees
from services.billing.plans.included_tokens import allowance
from services.billing.store.reconciling import Books
from services.billing.wallets import wallets
from tests.billing.buyers import Buyer, found
from tests.billing.invoices import preview, utc
from tests.billing.office import refused
from tests.usage import NEW, Person, recorded, shuffled_thrice, tokens, usage
from wrtn.billing.v1 import corrections_pb2, plans_pb2, subscriptions_pb2
from wrtn.billing.v1.corrections_pb2 import Correction
from wrtn.billing.v1.corrections_pb2_grpc import CorrectionServiceStub
from wrtn.billing.v1.invoices_pb2 import Invoice, InvoiceLine
from wrtn.billing.v1.plans_pb2 import PlanPrice, PlanTerms
from wrtn.billing.v1.price_rules_pb2 import PriceRates

DEAR, CHEAP = "openai/gpt-4.1", "openai/gpt-4.1-mini"
"""A million input tokens cost 2 dollars, and 0.4."""
SHOWN = (InvoiceLine.KIND_USAGE, InvoiceLine.KIND_INCLUDED, InvoiceLine.KIND_CREDITS)
MILLION = 1_000_000
MODULE = pytest.mark.asyncio(loop_scope="module")


def including(tokens: int, *, included_credits: str = "0", overage: bool = True) -> PlanTerms:
    price = PlanPrice(currency="USD", fee="0", seat_fee="0", included_credits=included_credits)
    return PlanTerms(
        display_name=f"{tokens} tokens",
        interval=PlanTerms.INTERVAL_MONTH,
        prices=[price],
        overage_allowed=overage,
        included_tokens=tokens,
    )


async def plan(buyer: Buyer, key: str, terms: PlanTerms) -> str:
    request = plans_pb2.CreatePlanRequest(plan=plans_pb2.Plan(key=key, terms=terms))
    return (await buyer.plans.CreatePlan(request, metadata=buyer.administrator.metadata)).id


async def subscribe(buyer: Buyer, plan_id: str, verb: str = "Start", **more: Any) -> None:
    kind = getattr(subscriptions_pb2, f"{verb}SubscriptionRequest")
    call = getattr(buyer.subscriptions, f"{verb}Subscription")
    request = kind(enterprise_id=str(buyer.id), plan_id=plan_id, **more)
    await call(request, metadata=buyer.administrator.metadata)


def of(kind: int, amount: str, quantity: int) -> tuple[int, Decimal, int]:
    return kind, Decimal(amount), quantity


def shown(invoice: Invoice) -> list[tuple[int, Decimal, int]]:
    lines = [line for line in invoice.lines if line.kind in SHOWN]
    return [(line.kind, Decimal(line.exact_amount), line.quantity) for line in lines]


async def lots(buyer: Buyer) -> dict[str, Decimal]:
    return dict(await buyer.rows("SELECT kind, remaining FROM wrtn_wallet_lots"))


@MODULE
async def test_what_the_tokens_cover_is_the_same_in_any_order_and_all_books_agree(buyer: Buyer) -> None:
    plan_id = await plan(buyer, "tokens", including(3 * MILLION))
    team, above = NEW(), NEW()
    for order in (1, 2):
        mine = await found(buyer, "UTC", "USD", team, above)
        mine.at(2026, 11, 1)
        await subscribe(mine, plan_id)
        people = [Person(mine.id, (team, above)), Person(mine.id)]
        # By time: 2 million dear ones, half a million that cost nothing, and half of a million cheap ones.
        messages = [
            usage(people[0], tokens(7, 0, 0), model=DEAR, at=utc(2026, 11, 6)),
            usage(people[1], tokens(MILLION, 0, 0), model=CHEAP, at=utc(2026, 11, 5)),
            usage(people[1], tokens(MILLION // 2, 0, 0), model="acme/unknown", at=utc(2026, 11, 4)),
            usage(people[0], tokens(2 * MILLION, 0, 0), model=DEAR, at=utc(2026, 11, 3)),
        ]
        events = shuffled_thrice(map(recorded, messages), seed=order)
        for batch in (events[:3], events[3:]):
            async with mine.running.runtime.db.transaction(Scope.of(mine.id)) as tx:
                await mine.rating.rate(tx, batch)
        mine.at(2026, 11, 7)
        seen = await preview(mine)
        (invoice,) = await mine.invoiced(2026, 12, 1, 1)
        covered = of(InvoiceLine.KIND_INCLUDED, "-4.2", 3 * MILLION)
        assert covered in shown(seen)
        assert shown(invoice)[-1] == covered
        assert (invoice.subtotal, sum(Decimal(line.exact_amount) for line in invoice.lines)) == (
            "0.20",
            Decimal("0.200014"),
        )
        balances = await mine.balances()
        assert balances["receivable"] == Decimal(invoice.total)
        assert (balances["included"], balances["usage_revenue"]) == (Decimal("4.2"), Decimal("-4.400014"))
        assert sum(balances.values()) == 0
        async with mine.running.runtime.db.snapshot(Scope.of(mine.id)) as snapshot:
            books = await Books(snapshot, mine.id).sums()
        assert set(books.values()) == {Decimal("4.400014")}


@MODULE
async def test_usage_of_before_the_plan_is_not_covered_and_late_usage_counts_where_it_is_invoiced(
    buyer: Buyer,
) -> None:
    mine = await found(buyer)
    mine.at(2026, 11, 16)
    await subscribe(mine, await plan(buyer, "two", including(2 * MILLION)))
    await mine.use(MILLION, utc(2026, 11, 15, 23), model=CHEAP)
    await mine.use(3 * MILLION, utc(2026, 11, 16, 1))
    (first,) = await mine.invoiced(2026, 12, 1, 1)
    # Half of the month is left, so half of the tokens are.
    assert shown(first) == [
        of(InvoiceLine.KIND_USAGE, "6", 1),
        of(InvoiceLine.KIND_USAGE, "0.4", 1),
        of(InvoiceLine.KIND_INCLUDED, "-2", MILLION),
    ]
    await mine.use(MILLION, utc(2026, 11, 20))
    (_, second) = await mine.invoiced(2027, 1, 1, 1)
    assert shown(second) == [of(InvoiceLine.KIND_USAGE, "2", 1), of(InvoiceLine.KIND_INCLUDED, "-2", MILLION)]
    assert (second.total, second.state) == ("0.00", Invoice.STATE_PAID)


@MODULE
async def test_a_change_of_plan_shares_the_tokens_and_other_seats_leave_them(buyer: Buyer) -> None:
    mine = await found(buyer)
    small = await plan(buyer, "small", including(2 * MILLION))
    large = await plan(buyer, "large", including(6 * MILLION))
    mine.at(2026, 11, 1)
    await subscribe(mine, small)
    mine.at(2026, 11, 10)
    await subscribe(mine, small, "Change", seats=4)
    mine.at(2026, 11, 16)
    await subscribe(mine, large, "Change")
    await mine.use(3 * MILLION, utc(2026, 11, 2))
    await mine.use(3 * MILLION, utc(2026, 11, 20))
    (invoice,) = await mine.invoiced(2026, 12, 1, 1)
    assert shown(invoice)[-1] == of(InvoiceLine.KIND_INCLUDED, "-8", 4 * MILLION)
    assert [line.description for line in invoice.lines][-1] == f"{6 * MILLION} tokens"


@MODULE
async def test_credits_pay_for_what_the_tokens_leave_and_the_rest_of_them_comes_back(buyer: Buyer) -> None:
    mine = await found(buyer)
    mine.at(2026, 11, 1)
    await subscribe(mine, await plan(buyer, "three", including(3 * MILLION)))
    async with mine.running.runtime.db.transaction(Scope.of(mine.id)) as tx:
        await wallets.purchase(tx, mine.id, Decimal(10), "USD", source="cash:bank", reference="bought")
        await wallets.bonus(tx, mine.id, Decimal(3), "USD", reference="given")
    await mine.use(4 * MILLION, utc(2026, 11, 3))
    assert await lots(mine) == {"PURCHASE": 5, "BONUS": 0}
    (invoice,) = await mine.invoiced(2026, 12, 1, 1)
    assert shown(invoice) == [
        of(InvoiceLine.KIND_USAGE, "8", 1),
        of(InvoiceLine.KIND_INCLUDED, "-6", 3 * MILLION),
        of(InvoiceLine.KIND_CREDITS, "-2", 1),
    ]
    # What burnt last is there again first.
    assert (invoice.total, await lots(mine)) == ("0.00", {"PURCHASE": Decimal(10), "BONUS": Decimal(1)})
    assert "receivable" not in await mine.balances()


async def corrected(buyer: Buyer, price_id: str, rate: str, start: datetime) -> None:
    """Has a price of input corrected from a time on."""
    service = CorrectionServiceStub(buyer.running.channel())
    request = corrections_pb2.CreateCorrectionRequest(
        price_id=price_id, rates=PriceRates(input_per_million=rate), reason="misread"
    )
    request.start_time.FromDatetime(start)
    made = await service.CreateCorrection(request, metadata=buyer.administrator.metadata)
    asked = corrections_pb2.GetCorrectionRequest(correction_id=made.id)

    async def is_in(state: int) -> bool:
        found = await service.GetCorrection(asked, metadata=buyer.administrator.metadata)
        return found.state == state

    await until(lambda: is_in(Correction.STATE_PROPOSED), 30)
    approval = corrections_pb2.ApproveCorrectionRequest(correction_id=made.id)
    await service.ApproveCorrection(approval, metadata=buyer.administrator.metadata)
    await until(lambda: is_in(Correction.STATE_APPLIED), 30)


@MODULE
async def test_a_corrected_price_of_what_was_covered_whole_is_neither_charged_nor_given_back(
    buyer: Buyer,
) -> None:
    mine, terms = await found(buyer), including(5 * MILLION)
    terms.prices[0].fee = "7"
    mine.at(2027, 2, 1)
    await subscribe(mine, await plan(buyer, "corrected", terms))
    await mine.use(MILLION, utc(2027, 2, 3))
    (first,) = await mine.invoiced(2027, 3, 1, 1)
    ((price_id,),) = await mine.rows("SELECT price_id FROM wrtn_usages")
    for rate in ("3", "1"):
        await corrected(mine, str(price_id), rate, utc(2027, 2, 1))
        balances = await mine.balances()
        assert (balances["receivable"], balances["included"]) == (Decimal(7), Decimal(rate))
    (_, second) = await mine.invoiced(2027, 4, 1, 1)
    assert (first.total, second.total, len(second.lines)) == ("7.00", "7.00", 1)
    assert await mine.rows("SELECT 1 FROM wrtn_credit_notes") == []
    async with mine.running.runtime.db.snapshot(Scope.of(mine.id)) as snapshot:
        assert set((await Books(snapshot, mine.id).sums()).values()) == {Decimal(1)}


@MODULE
async def test_tokens_beside_credits_are_refused(buyer: Buyer) -> None:
    assert (await refused(plan(buyer, "odd", including(1, included_credits="5"))))[0] == "PLAN_INVALID"


def stretch(start: datetime, end: datetime, included: int, *, trial: bool = False) -> Stretch:
    return Stretch(start, end, start, including(included), "USD", 0, Decimal(0), trial)


def test_a_trial_includes_tokens_and_costs_no_fee() -> None:
    start, end = utc(2026, 11, 1), utc(2026, 12, 1)
    tried = stretch(start, end, 30, trial=True)
    tried.terms.prices[0].fee = "100"
    assert fees([tried], ZoneInfo("UTC"), start, end) == []
    granted = allowance([tried], ZoneInfo("UTC"), start, end)
    assert granted is not None
    assert granted.tokens == 30
    assert allowance([stretch(start, end, 0)], ZoneInfo("UTC"), start, end) is None


@settings(max_examples=25)
@given(some.lists(some.datetimes(utc(2026, 3, 1).replace(tzinfo=None), utc(2026, 4, 1).replace(tzinfo=None))))
def test_however_often_a_month_is_cut_its_tokens_are_all_there(cuts: list[datetime]) -> None:
    start, end = utc(2026, 3, 1), utc(2026, 4, 1)
    places = sorted({start, end, *(cut.replace(tzinfo=UTC) for cut in cuts)})
    stretches = [stretch(a, b, 1_000_003) for a, b in pairwise(places)]
    granted = allowance(stretches, ZoneInfo("UTC"), start, end)
    assert granted is not None
    assert granted.tokens == 1_000_003

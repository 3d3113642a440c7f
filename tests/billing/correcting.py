"""Corrections of prices in tests, and what they leave of the books."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from chassis.database import Scope
from chassis.testing.waiting import until
from services.billing.store.reconciling import Books
from tests.billing.buyers import Buyer
from tests.billing.invoices import usage_of
from wrtn.billing.v1 import corrections_pb2, prices_pb2
from wrtn.billing.v1.corrections_pb2 import Correction
from wrtn.billing.v1.corrections_pb2_grpc import CorrectionServiceStub
from wrtn.billing.v1.invoices_pb2 import CreditNote, Invoice, InvoiceLine
from wrtn.billing.v1.price_rules_pb2 import PriceRates
from wrtn.billing.v1.prices_pb2_grpc import PriceServiceStub

MILLION = 1_000_000
USAGE, CORRECTION = InvoiceLine.KIND_USAGE, InvoiceLine.KIND_CORRECTION


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

        await reached(Correction.STATE_PROPOSED)
        approval = corrections_pb2.ApproveCorrectionRequest(correction_id=made.id)
        others = [buyer.administrator for _ in range(2)]
        tries = [service.ApproveCorrection(approval, metadata=each.metadata) for each in others]
        decided = await asyncio.gather(*tries, return_exceptions=True)
        assert sum(isinstance(each, BaseException) for each in decided) == 1
        await reached(Correction.STATE_APPLIED)
    return made.id


def lines(invoice: Invoice | CreditNote, *kinds: InvoiceLine.Kind.ValueType) -> list[tuple[str, str]]:
    """The team and amount of each line; of these kinds, if any is named."""
    return [(line.team_id, line.amount) for line in invoice.lines if not kinds or line.kind in kinds]


async def agreed(buyer: Buyer, *, due: str | None = None) -> dict[str, Decimal]:
    """The balances, once all the books agree and the open invoices have due what is receivable."""
    async with buyer.database.app.snapshot(Scope.of(buyer.id)) as snapshot:
        books = await Books(snapshot, buyer.id).sums()
    assert len({*books.values()}) == 1, books
    balances = await buyer.balances()
    assert sum(balances.values()) == 0
    if due is not None:
        standing = [each for each in await buyer.all_invoices() if each.state == Invoice.STATE_OPEN]
        assert sum(Decimal(each.due) for each in standing) == Decimal(due) == balances.get("receivable", 0)
    return balances


async def detail(buyer: Buyer, invoice: Invoice) -> list[dict[str, str]]:
    """The rows of the CSV, which add up to the lines of usage and correction exactly."""
    rows = await usage_of(buyer, invoice)
    exact = sum(Decimal(line.exact_amount) for line in invoice.lines if line.kind in (USAGE, CORRECTION))
    assert sum(Decimal(row["charge"]) for row in rows) == exact
    return rows

"""Numbers of invoices: in order and without gaps."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest_asyncio

from chassis.database import Scope
from chassis.testing.callers import Callers
from chassis.testing.databases import DatabaseFactory
from chassis.testing.serving import Serve
from services.billing.invoices.finalizing import finalize
from services.billing.main import wire
from services.billing.settings import BillingSettings
from tests.billing.buyers import Buyer, found, opened
from tests.billing.invoices import act, utc
from wrtn.billing.v1 import invoices_pb2 as pb
from wrtn.billing.v1.invoices_pb2_grpc import InvoiceServiceStub

if TYPE_CHECKING:
    from wrtn.billing.v1.invoices_pb2_grpc import InvoiceServiceAsyncStub


@pytest_asyncio.fixture
async def buyer(database: DatabaseFactory, serve: Serve, callers: Callers) -> AsyncIterator[Buyer]:
    async with opened(database, serve, callers) as made:
        yield made


async def test_numbers_have_no_gaps_where_two_services_race_and_some_transactions_fail(
    buyer: Buyer, serve: Serve
) -> None:
    buyers = [await found(buyer) for _ in range(6)]
    for each in buyers:
        await each.use(1_000_000, utc(2026, 11, 10))
    await buyer.invoiced(2026, 12, 1)
    # Within the hour of grace, so that the jobs of the services finalise none of them.
    buyer.at(2026, 12, 1, 0, 30)
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
    shown = [each.number for buyer in buyers for each in await buyer.all_invoices()]
    assert sorted(shown) == [f"INV-00000{number}" for number in range(1, 7)]
    note = await act(buyers[0], "Credit", (await buyers[0].all_invoices())[0], reason="sorry", amount="1")
    assert note.number == "CN-000001"

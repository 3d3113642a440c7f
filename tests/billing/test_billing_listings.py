"""The ledger and the prices, page by page."""

from __future__ import annotations

import base64
import json
from decimal import Decimal
from typing import Any

import grpc
import pytest

from tests.billing.costing import Costing
from tests.usage import NEW, Person, tokens, usage
from wrtn.access.v1.access_pb2 import StaffRight, Title
from wrtn.billing.v1 import costs_pb2, prices_pb2

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_the_ledger_is_listed_in_its_order_page_by_page(costing: Costing) -> None:
    enterprise = NEW()
    owner = costing.callers.employee(enterprise, Title.TITLE_OWNER)
    for _ in range(3):
        await costing.used(usage(Person(enterprise), tokens(1000, 0, 0)))
    entries: list[costs_pb2.LedgerEntry] = []
    token = ""
    for _ in range(3):
        request = costs_pb2.ListLedgerEntriesRequest(
            enterprise_id=str(enterprise), page_size=2, page_token=token
        )
        page = await costing.costs.ListLedgerEntries(request, metadata=owner.metadata)
        entries += page.ledger_entries
        token = page.next_page_token
    assert not token
    assert [entry.sequence for entry in entries] == [1, 2, 3, 4, 5, 6]
    assert [entry.amount for entry in entries] == ["0.002", "-0.002"] * 3
    assert [entry.balance for entry in entries[::2]] == ["0.002", "0.004", "0.006"]
    assert sum(Decimal(entry.amount) for entry in entries) == 0
    assert entries[0].posting_id == entries[1].posting_id


async def test_prices_are_listed_by_model_page_by_page(costing: Costing) -> None:
    known, token = costing.callers.member(), ""
    entries: list[prices_pb2.Price] = []
    while True:
        request = prices_pb2.ListPricesRequest(page_size=200, page_token=token)
        page = await costing.prices.ListPrices(request, metadata=known.metadata)
        entries += page.prices
        token = page.next_page_token
        if not token:
            break
    keys = [(entry.model, -entry.effective_time.seconds) for entry in entries]
    assert len(entries) > 2000
    assert keys == sorted(keys)
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("cursor", [[], ["x"], ["x", "y", "z"], ["1", "2", "3", "4"]])
async def test_a_forged_place_in_a_page_token_is_refused(costing: Costing, cursor: list[str]) -> None:
    tenant = NEW()
    owner = costing.callers.employee(tenant, Title.TITLE_OWNER)
    await costing.used(*(usage(Person(tenant), tokens(1, 0, 0)) for _ in range(2)))
    priced = prices_pb2.ListPricesRequest(page_size=1)
    booked = costs_pb2.ListLedgerEntriesRequest(enterprise_id=str(tenant), page_size=1)
    lists: list[tuple[Any, Any]] = [
        (costing.prices.ListPrices, priced),
        (costing.costs.ListLedgerEntries, booked),
    ]
    for ask, request in lists:
        request.page_token = forged((await ask(request, metadata=owner.metadata)).next_page_token, cursor)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await ask(request, metadata=owner.metadata)
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_the_price_of_a_model_is_found_by_its_other_names(costing: Costing) -> None:
    moderator = costing.callers.member(staff=StaffRight.STAFF_RIGHT_MODERATOR)
    request = prices_pb2.ListPricesRequest(model="openai/gpt-4.1-2025-04-14")
    page = await costing.prices.ListPrices(request, metadata=moderator.metadata)
    (found,) = page.prices
    assert (found.model, found.currency) == ("openai/gpt-4.1", "USD")
    assert (found.input_per_million, found.cached_input_per_million, found.output_per_million) == (
        "2",
        "0.5",
        "8",
    )
    assert found.source.startswith("genai-prices ")
    request = prices_pb2.ListPricesRequest(model="google/gemini-2.5-pro")
    (stepped, *_) = (await costing.prices.ListPrices(request, metadata=moderator.metadata)).prices
    assert [tier.from_input_tokens for tier in stepped.tiers] == [200_000]


def forged(token: str, cursor: list[str]) -> str:
    """Puts another place into a token, and leaves its query."""
    query = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))[:12]
    return base64.urlsafe_b64encode(query + json.dumps(cursor).encode()).rstrip(b"=").decode()

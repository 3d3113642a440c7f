"""wrtn.billing.v1 PriceRuleService."""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import datetime
from typing import Any
from uuid import UUID

import grpc

from chassis import timestamps
from chassis.audit.acts import PLATFORM
from chassis.database import Scope, Snapshot
from chassis.idempotency import once
from chassis.paging import Page
from chassis.service import Runtime
from chassis.settings import ServiceSettings
from services.billing import convert, models
from services.billing.pricing import agreed_prices, price_convert, price_rules
from services.billing.pricing.price_list import PriceList
from services.billing.readers import reading
from services.billing.store.rules import ExchangeRates, Rules
from wrtn.billing.v1 import price_rules_pb2 as pb
from wrtn.billing.v1.price_rules_pb2_grpc import PriceRuleServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]
_READ = "price_rules.read"


class PriceRules(PriceRuleServiceServicer):
    """Keeps and shows what is agreed on prices."""

    def __init__(self, runtime: Runtime[ServiceSettings], known: PriceList) -> None:
        self._runtime = runtime
        self._known = known

    async def CreatePriceRule(self, request: pb.CreatePriceRuleRequest, context: Context) -> pb.PriceRule:
        """Agrees on a rule."""
        tenant_id = _holder(request.price_rule.enterprise_id)
        rule = price_convert.rule(request.price_rule, self._runtime.clock.new_id())
        scope = Scope.of(tenant_id)
        return await once(
            self._runtime.db, scope, request, lambda tx: _built(price_rules.create(tx, tenant_id, rule))
        )

    async def EndPriceRule(self, request: pb.EndPriceRuleRequest, context: Context) -> pb.PriceRule:
        """Ends a rule."""
        tenant_id, rule_id = _holder(request.enterprise_id), UUID(request.price_rule_id)
        when = convert.moment(request, "end_time")
        return await once(
            self._runtime.db,
            Scope.of(tenant_id),
            request,
            lambda tx: _built(price_rules.end(tx, tenant_id, rule_id, when)),
        )

    async def ListPriceRules(
        self, request: pb.ListPriceRulesRequest, context: Context
    ) -> pb.ListPriceRulesResponse:
        """Lists the rules of an enterprise, the newest first."""
        tenant_id, page = UUID(request.enterprise_id), Page.of(request)
        async with reading(self._runtime, tenant_id, _READ) as (snapshot, _):
            return await _listed(snapshot, page, tenant_id, None)

    async def ListPlanPriceRules(
        self, request: pb.ListPlanPriceRulesRequest, context: Context
    ) -> pb.ListPriceRulesResponse:
        """Lists the rules of a plan, the newest first."""
        plan_id, page = UUID(request.plan_id), Page.of(request)
        async with self._runtime.db.transaction(Scope.of(PLATFORM)) as tx:
            tx.audit(_READ, tenant_id=PLATFORM, target_id=plan_id)
            return await _listed(tx, page, PLATFORM, plan_id)

    async def GetAgreedPrice(self, request: pb.GetAgreedPriceRequest, context: Context) -> pb.AgreedPrice:
        """Says what an enterprise pays for a model now."""
        tenant_id = UUID(request.enterprise_id)
        async with reading(self._runtime, tenant_id, _READ) as (snapshot, _):
            return await agreed_prices.of(snapshot, self._known, tenant_id, request.model)

    async def CreateExchangeRate(
        self, request: pb.CreateExchangeRateRequest, context: Context
    ) -> pb.ExchangeRate:
        """Sets an exchange rate."""
        rate = price_convert.rate(request.exchange_rate, self._runtime.clock.new_id())
        answer = pb.ExchangeRate(
            id=str(rate.id),
            currency=rate.currency,
            rate=request.exchange_rate.rate,
            effective_time=timestamps.of(rate.effective_time),
        )

        async def work(tx: Any) -> pb.ExchangeRate:
            await price_rules.set_rate(tx, rate)
            return answer

        return await once(self._runtime.db, Scope.of(PLATFORM), request, work)

    async def ListExchangeRates(
        self, request: pb.ListExchangeRatesRequest, context: Context
    ) -> pb.ListExchangeRatesResponse:
        """Lists the rates by currency, the newest first."""
        page = Page.of(request)
        after = page.after(lambda currency, start: (currency, datetime.fromisoformat(start)))
        async with self._runtime.db.snapshot(Scope()) as snapshot:
            rows = await ExchangeRates(snapshot).page(after, page.size + 1)
        rates, token = page.cut(rows, key=lambda row: (row.currency, row.effective_time.isoformat()))
        return pb.ListExchangeRatesResponse(
            exchange_rates=map(price_convert.exchange_rate, rates), next_page_token=token
        )


async def _listed(
    snapshot: Snapshot, page: Page, tenant_id: UUID, plan_id: UUID | None
) -> pb.ListPriceRulesResponse:
    rows = await Rules(snapshot, tenant_id).page(plan_id, page.after(UUID), page.size + 1)
    rules, token = page.cut(rows, key=lambda row: (str(row.id),))
    return pb.ListPriceRulesResponse(price_rules=map(price_convert.price_rule, rules), next_page_token=token)


async def _built(row: Awaitable[models.PriceRule]) -> pb.PriceRule:
    return price_convert.price_rule(await row)


def _holder(enterprise_id: str) -> UUID:
    """Answers whose row a rule is: the enterprise's, or, of a plan, the platform's."""
    return UUID(enterprise_id) if enterprise_id else PLATFORM

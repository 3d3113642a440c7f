"""What tenants are charged: by what was agreed with them, in their currency, and as it was at the time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
import pytest
import pytest_asyncio

from chassis.audit.acts import PLATFORM
from chassis.database import Scope
from chassis.database.roles import connect
from chassis.testing.callers import Callers
from chassis.testing.clocks import MovableClock
from chassis.testing.databases import DatabaseFactory
from chassis.testing.serving import Serve
from services.billing.errors import EnterpriseUnknown
from services.billing.models import KnownEnterprise
from services.billing.plans import subscriptions
from services.billing.pricing.charging import Agreement, Exchange, ExchangeRate, Rule, RuleKind, Used, charge
from services.billing.pricing.rating import Rates, Tokens
from tests.billing.desk import MODEL, Desk, refused, served
from tests.billing.make import know
from tests.usage import NEW, NOON, Person, freelancer, recorded, tokens, usage
from wrtn.access.v1.access_pb2 import Title
from wrtn.billing.v1 import price_rules_pb2 as pb
from wrtn.billing.v1.plans_pb2 import ListPlansRequest
from wrtn.billing.v1.plans_pb2_grpc import PlanServiceStub

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
MILLION = tokens(1_000_000, 0, 0)


def rule(kind: RuleKind, model: str = "", percent: str | None = None, rates: Rates | None = None) -> Rule:
    return Rule(NEW(), kind, model, NOON, NOON + DAY, Decimal(percent) if percent else None, rates)


def test_a_charge_is_exact_and_its_nearest_rules_count_from_their_start_until_before_their_end() -> None:
    markup, discount = rule(RuleKind.MARKUP, "", "12.5"), rule(RuleKind.DISCOUNT, "", "33.3333")
    nearer = rule(RuleKind.DISCOUNT, "a/b", "50")
    override = rule(RuleKind.OVERRIDE, "a/c", rates=Rates(Decimal(7), Decimal(7), Decimal(0)))
    exchange, rate = Exchange(), ExchangeRate(NOON, NEW(), "EUR", Decimal("0.9137"))
    exchange.add([(1, rate)])
    agreement = Agreement("EUR", (markup, discount, nearer, override))

    def charged(model: str, after: timedelta = timedelta(), to: Agreement = agreement) -> Any:
        used = Used(model, Tokens(1_000_000, 0, 0), NOON + after, Decimal("0.0000000123"))
        return charge(to, exchange, used)

    exact = Decimal("0.0000000123") * Decimal("1.125") * Decimal("0.666667") * Decimal("0.9137")
    assert charged("a/a") == (exact, "EUR", (markup.id, discount.id), rate.id)
    half = Decimal("0.0000000123") * Decimal("1.125") * Decimal("0.5") * Decimal("0.9137")
    assert charged("a/b") == (half, "EUR", (markup.id, nearer.id), rate.id)
    assert charged("a/c") == (7 * Decimal("0.9137"), "EUR", (override.id,), rate.id)
    assert charged("a/c", DAY) == (Decimal("0.0000000123") * Decimal("0.9137"), "EUR", (), rate.id)
    assert charged("a/a", -MINUTE) is None
    plan, other = replace(nearer, plan_id=NEW()), replace(nearer, plan_id=NEW(), percent=Decimal(99))
    phases = ((NOON, None), (NOON + MINUTE, plan.plan_id), (NOON + 2 * MINUTE, None))
    subscribed = Agreement("USD", (plan, other), phases)
    found = [charged("a/b", MINUTE * after, subscribed) for after in range(3)]
    assert [each[2] for each in found] == [(), (plan.id,), ()]
    assert charged("a/b", MINUTE, Agreement("USD", (plan, discount), phases))[2] == (discount.id,)
    assert charged("a/a", to=Agreement()) == (Decimal("0.0000000123"), "USD", (), None)


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest_asyncio.fixture
async def desk(
    database: DatabaseFactory, serve: Serve, callers: Callers, clock: MovableClock
) -> AsyncIterator[Desk]:
    async with served(database, serve, callers, clock) as made:
        yield made


async def test_rules_and_rates_changed_mid_month_count_from_then_and_stand_beside_each_charge(
    desk: Desk,
) -> None:
    person = Person(NEW())
    await know(desk.database, [person.tenant_id], "EUR")
    first = await desk.exchange("EUR", "0.9", desk.now() - 9 * DAY)
    await desk.price(start=desk.now() - DAY, input_per_million="10")
    plain = await desk.used(person, MILLION)
    markup = await desk.rule(person.tenant_id, markup_percent="20")
    discount = await desk.rule(person.tenant_id, discount_percent="25", model=MODEL)
    second = await desk.exchange("EUR", "0.8", desk.now() + 10 * MINUTE)
    desk.clock.ahead += 3 * MINUTE
    ruled = await desk.used(person, MILLION)
    override = await desk.rule(
        person.tenant_id, model=MODEL, override=pb.PriceRates(input_per_million="4", per_request="1")
    )
    ending = pb.EndPriceRuleRequest(enterprise_id=str(person.tenant_id), price_rule_id=override.id)
    ending.end_time.FromDatetime(desk.now() + 20 * MINUTE)
    await desk.rules.EndPriceRule(ending, metadata=desk.admin.metadata)
    desk.clock.ahead += 10 * MINUTE
    overridden = await desk.used(person, MILLION)
    desk.clock.ahead += 20 * MINUTE
    after = await desk.used(person, MILLION)
    late = await desk.used(person, MILLION, at=desk.now() - 25 * MINUTE)
    rows = await desk.core.rows(
        "SELECT history_id, cost, charge, charge_currency, price_rule_ids, exchange_rate_id FROM wrtn_usages",
        person.tenant_id,
    )
    both, found = [UUID(markup.id), UUID(discount.id)], {row[0]: row[1:] for row in rows}
    assert found[plain] == (10, 9, "EUR", [], UUID(first.id))
    assert found[ruled] == (10, Decimal("8.1"), "EUR", both, UUID(first.id))
    assert found[overridden] == (10, 4, "EUR", [UUID(override.id)], UUID(second.id))
    assert found[after] == (10, Decimal("7.2"), "EUR", both, UUID(second.id))
    assert found[late] == (10, Decimal("4.5"), "EUR", [UUID(override.id)], UUID(first.id))
    whole = sum(row[2] for row in rows)
    ledger = await desk.core.rows("SELECT currency FROM wrtn_ledgers", person.tenant_id)
    owed = await desk.core.rows("SELECT balance FROM wrtn_ledger_balances ORDER BY 1", person.tenant_id)
    assert (ledger, owed) == ([("EUR",)], [(-whole,), (whole,)])
    days = "SELECT sum(cost), sum(charge) FROM wrtn_cost_days WHERE part_id = tenant_id"
    holders = "SELECT sum(cost), sum(charge) FROM wrtn_holder_cost_days"
    for query in (days, holders):
        assert await desk.core.rows(query, person.tenant_id) == [(50, whole)]
    told = await desk.audited(person.tenant_id, "price_rule.created")
    assert {str(row[0]) for row in told} == {markup.id, discount.id, override.id}


async def test_the_rules_of_a_plan_count_while_a_tenant_subscribes_to_it(desk: Desk) -> None:
    tenant = NEW()
    await know(desk.database, [tenant])
    listing = ListPlansRequest()
    plans = PlanServiceStub(desk.channel)
    pro, other, *_ = (await plans.ListPlans(listing, metadata=desk.admin.metadata)).plans
    desk.clock.ahead += MINUTE
    for plan, percent in ((pro, "50"), (other, "99")):
        await desk.rule(None, plan_id=plan.id, discount_percent=percent)
    async with desk.running.runtime.db.transaction(Scope.of(tenant)) as tx:
        tx.session.add(KnownEnterprise(tenant_id=tenant, time_zone="UTC", version=1))
        await subscriptions.start(tx, tenant, subscriptions.Wanted(UUID(pro.id), 1, staff=True), trial=False)
    desk.clock.ahead += 3 * MINUTE
    await desk.used(Person(tenant), MILLION, model="openai/gpt-4.1")
    assert await desk.core.rows("SELECT cost, charge FROM wrtn_usages", tenant) == [(2, 1)]
    asked = pb.ListPlanPriceRulesRequest(plan_id=pro.id)
    (kept,) = (await desk.rules.ListPlanPriceRules(asked, metadata=desk.admin.metadata)).price_rules
    assert [str(row[0]) for row in await desk.audited(PLATFORM, "price_rules.read")] == [pro.id]
    ended = await desk.rules.EndPriceRule(
        pb.EndPriceRuleRequest(price_rule_id=kept.id), metadata=desk.admin.metadata
    )
    assert (ended.plan_id, ended.enterprise_id, ended.HasField("end_time")) == (pro.id, "", True)


async def test_owners_see_what_they_pay_and_nobody_else_does(desk: Desk) -> None:
    owner = desk.callers.employee(NEW(), Title.TITLE_OWNER)
    tenant, stranger = owner.enterprise_id, desk.callers.employee(NEW(), Title.TITLE_OWNER)
    assert tenant is not None
    member = desk.callers.employee(tenant, Title.TITLE_MEMBER)
    await know(desk.database, [tenant], "EUR")
    asked = pb.GetAgreedPriceRequest(enterprise_id=str(tenant), model="openai/gpt-4.1")
    await refused("EXCHANGE_RATE_MISSING", desk.rules.GetAgreedPrice(asked, metadata=owner.metadata))
    rate = await desk.exchange("EUR", "0.5", desk.now() - DAY)
    discount = await desk.rule(tenant, discount_percent="10")
    desk.clock.ahead += 3 * MINUTE
    agreed = await desk.rules.GetAgreedPrice(asked, metadata=owner.metadata)
    assert (agreed.price.input_per_million, agreed.charged.input_per_million) == ("2", "0.9")
    assert (agreed.currency, agreed.charged.output_per_million) == ("EUR", "3.6")
    assert (list(agreed.price_rule_ids), agreed.exchange_rate_id) == ([discount.id], rate.id)
    listing = pb.ListPriceRulesRequest(enterprise_id=str(tenant))
    rules = await desk.rules.ListPriceRules(listing, metadata=owner.metadata)
    assert [each.discount_percent for each in rules.price_rules] == ["10"]
    for known, code in ((stranger, "NOT_FOUND"), (member, "PERMISSION_DENIED")):
        for call in (
            desk.rules.ListPriceRules(listing, metadata=known.metadata),
            desk.rules.GetAgreedPrice(asked, metadata=known.metadata),
        ):
            with pytest.raises(Exception, match=code):
                await call
    assert await desk.audited(tenant, "price_rules.read") == []
    await desk.rules.GetAgreedPrice(asked, metadata=desk.admin.metadata)
    await desk.rules.ListPriceRules(listing, metadata=desk.admin.metadata)
    assert len(await desk.audited(tenant, "price_rules.read")) == 2
    request = pb.CreatePriceRuleRequest(price_rule=discount)
    with pytest.raises(Exception, match="PERMISSION_DENIED"):
        await desk.rules.CreatePriceRule(request, metadata=owner.metadata)
    foreign = pb.EndPriceRuleRequest(enterprise_id=str(NEW()), price_rule_id=discount.id)
    await refused("PRICE_RULE_NOT_FOUND", desk.rules.EndPriceRule(foreign, metadata=desk.admin.metadata))


async def test_wrong_rules_and_rates_are_refused_and_change_nothing(desk: Desk) -> None:
    tenant, start = NEW(), desk.now() + DAY
    kept = await desk.rule(tenant, start, start + DAY, markup_percent="5")
    await desk.rule(tenant, start, start + DAY, markup_percent="5", model=MODEL)
    await desk.rule(tenant, start + DAY, None, markup_percent="6")
    await refused("PRICE_OVERLAPS", desk.rule(tenant, start - DAY / 2, start + MINUTE, markup_percent="7"))
    await refused("PRICE_BACKDATED", desk.rule(tenant, desk.now() - MINUTE, None, discount_percent="7"))
    await refused("TIME_RANGE_INVALID", desk.rule(tenant, start, start, discount_percent="7"))
    await refused("PRICE_INVALID", desk.rule(tenant, override=pb.PriceRates(per_image="1")))
    for wrong in ({"discount_percent": "101"}, {"markup_percent": "-1"}, {}):
        with pytest.raises(Exception, match="INVALID_ARGUMENT"):
            await desk.rule(tenant, start, None, **wrong)
    await desk.exchange("EUR", "0.9", desk.now() - DAY)
    await refused("PRICE_BACKDATED", desk.exchange("EUR", "0.8", desk.now() - MINUTE))
    for currency in ("XXX", "USD"):
        await refused("CURRENCY_UNKNOWN", desk.exchange(currency, "1"))
    await refused("PRICE_INVALID", desk.exchange("CHF", "0"))
    await desk.exchange("EUR", "0.8", start)
    await refused("PRICE_OVERLAPS", desk.exchange("EUR", "0.7", start))
    assert await desk.core.rows("SELECT count(*) FROM wrtn_price_rules", tenant) == [(3,)]
    page = await desk.rules.ListExchangeRates(pb.ListExchangeRatesRequest(), metadata=desk.admin.metadata)
    assert [each.rate for each in page.exchange_rates] == ["0.8", "0.9"]
    changes = ("percent = 1", "end_time = NULL", "end_time = end_time + interval '1 day'")
    statements = [f"UPDATE wrtn_price_rules SET {each} WHERE id = '{kept.id}'" for each in changes]
    for statement in (*statements, "DELETE FROM wrtn_price_rules"):
        with connect(desk.database.urls.owner) as owner:
            owner.execute(f"SET wrtn.tenants = '{{{tenant}}}'")
            with pytest.raises(psycopg.errors.RestrictViolation):
                owner.execute(statement)


async def test_an_enterprise_whose_currency_is_not_known_waits_and_one_without_a_rate_is_unpriced(
    desk: Desk,
) -> None:
    person, alone = Person(NEW()), freelancer()
    async with desk.database.app.transaction(Scope.of(person.tenant_id)) as tx:
        with pytest.raises(EnterpriseUnknown):
            await desk.core.rating.rate(tx, [recorded(usage(person))])
    await know(desk.database, [person.tenant_id], "JPY")
    await desk.used(person, model="openai/gpt-4.1")
    await desk.used(alone, model="openai/gpt-4.1")
    columns = "SELECT price_id IS NULL, charge = cost, charge_currency FROM wrtn_usages"
    assert await desk.core.rows(columns, person.tenant_id) == [(True, True, "JPY")]
    assert await desk.core.rows(columns, alone.tenant_id) == [(False, True, "USD")]

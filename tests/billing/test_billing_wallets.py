"""Wallets over the served service: credits come, burn, expire and are taken; each with its entries."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import psycopg
import pytest

from chassis.database import Scope
from chassis.database.roles import connect
from chassis.testing.clocks import MovableClock
from services.billing.wallets import wallets
from services.billing.wallets.breakage import Breakage
from tests.billing.office import refused
from tests.billing.purses import Purses
from tests.usage import NEW, Person
from wrtn.access.v1.access_pb2 import Duty, StaffRight, Title
from wrtn.billing.v1 import wallets_pb2 as pb

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def granted(shared: Purses, tenant_id: object, amount: str, days: int, priority: int) -> pb.WalletLot:
    """Has the administrator grant credits for some days."""
    request = pb.AddWalletGrantRequest(
        wallet_id=str(tenant_id), amount=amount, currency="USD", priority=priority, reason="trial"
    )
    request.expire_time.FromDatetime(shared.running.runtime.clock.now() + timedelta(days=days))
    return await shared.wallets.AddWalletGrant(request, metadata=shared.admin.metadata)


async def test_credits_burn_by_priority_expiry_and_age_and_what_they_do_not_cover_is_owed(
    shared: Purses,
) -> None:
    owner = await shared.enterprise()
    person = Person(owner.enterprise_id)
    assert (await shared.shown(owner)).balance == "0"
    await shared.bought(owner.enterprise_id, "10")
    await shared.bonus(owner.enterprise_id, "4")
    await granted(shared, owner.enterprise_id, "3", days=9, priority=10)
    await granted(shared, owner.enterprise_id, "2", days=5, priority=10)
    await granted(shared, owner.enterprise_id, "1", days=5, priority=10)
    assert await shared.lots(owner) == [("2", "2"), ("1", "1"), ("3", "3"), ("4", "4"), ("10", "10")]
    await shared.used(person, 4)
    assert await shared.lots(owner) == [("3", "2"), ("4", "4"), ("10", "10")]
    await shared.used(person, 18)
    assert await shared.lots(owner) == []
    assert await shared.ledger(owner.enterprise_id) == {
        "cash:test": Decimal(10),
        "bonus_expense": Decimal(10),
        "receivable": Decimal(2),
        "usage_revenue": Decimal(-22),
    }
    query = "SELECT amount FROM wrtn_ledger_entries WHERE ledger_account = 'wallet' AND amount > 0"
    assert [row[0] for row in await shared.rows(owner.enterprise_id, query)] == [Decimal(4), Decimal(16)]


async def test_a_fine_takes_credits_and_the_rest_is_owed_and_a_retry_fines_once(shared: Purses) -> None:
    owner = await shared.enterprise()
    await shared.bought(owner.enterprise_id, "10")
    request = pb.FineWalletRequest(
        wallet_id=str(owner.enterprise_id), amount="12.5", currency="USD", reason="abuse", request_id="one"
    )
    for _ in range(2):
        fined = await shared.wallets.FineWallet(request, metadata=shared.admin.metadata)
        assert fined.balance == "0"
    ledger = await shared.ledger(owner.enterprise_id)
    assert (ledger["fines"], ledger["receivable"]) == (Decimal("-12.5"), Decimal("2.5"))
    query = "SELECT action, count(*) FROM wrtn_audit_entries GROUP BY 1"
    assert await shared.rows(owner.enterprise_id, query) == [("wallet.fined", 1)]


async def test_bought_credits_are_refunded_as_far_as_they_were_paid_and_are_unspent(shared: Purses) -> None:
    owner = await shared.enterprise()
    lot = await shared.bought(owner.enterprise_id, "10")
    given = await shared.bonus(owner.enterprise_id, "5", request_id="one")
    assert given == await shared.bonus(owner.enterprise_id, "5", request_id="one")
    await shared.used(Person(owner.enterprise_id), 8)

    async def refund(lot_id: object, amount: str) -> pb.WalletLot:
        request = pb.RefundWalletLotRequest(
            wallet_id=str(owner.enterprise_id),
            lot_id=str(lot_id),
            amount=amount,
            currency="USD",
            reason="moved away",
        )
        return await shared.wallets.RefundWalletLot(request, metadata=shared.admin.metadata)

    assert (await refund(lot.id, "4")).refunded == "4"
    for lot_id, amount, reason in (
        (lot.id, "6.01", "REFUND_ABOVE_PAID"),
        (lot.id, "3.01", "REFUND_ABOVE_LEFT"),
        (given.id, "1", "REFUND_ABOVE_PAID"),
        (NEW(), "1", "WALLET_LOT_NOT_FOUND"),
    ):
        assert (await refused(refund(lot_id, amount)))[0] == reason
    assert (await refund(lot.id, "3")).remaining == "0"
    ledger = await shared.ledger(owner.enterprise_id)
    assert (ledger["refunds"], "wallet" in ledger) == (Decimal(-7), False)


async def test_what_is_left_of_a_grant_expires_by_the_clock_and_burns_no_more(shared: Purses) -> None:
    owner = await shared.enterprise()
    await granted(shared, owner.enterprise_id, "5", days=1, priority=1)
    await shared.bought(owner.enterprise_id, "10")
    await shared.used(Person(owner.enterprise_id), 2)
    runtime = shared.running.runtime
    job = Breakage(runtime.db, runtime.worker, runtime.clock)
    await job.run()
    assert (await shared.shown(owner)).balance == "13"
    clock = MovableClock()
    clock.ahead = timedelta(days=1, seconds=1)
    for _ in range(2):
        await Breakage(runtime.db, runtime.worker, clock).run()
    assert (await shared.shown(owner)).balance == "10"
    assert (await shared.ledger(owner.enterprise_id))["breakage"] == Decimal(-3)


async def test_what_is_no_credit_is_refused_and_changes_nothing(shared: Purses) -> None:
    owner = await shared.enterprise()
    for more, reason in (
        ({"amount": "0"}, "AMOUNT_INVALID"),
        ({"currency": "XXX"}, "CURRENCY_UNKNOWN"),
        ({"currency": "EUR"}, "CURRENCY_MISMATCH"),
        ({"wallet_id": str(NEW())}, "WALLET_NOT_FOUND"),
    ):
        assert (await refused(shared.bonus(owner.enterprise_id, **more)))[0] == reason
        for table in ("wrtn_wallets", "wrtn_wallet_lots", "wrtn_ledgers", "wrtn_postings"):
            assert await shared.rows(owner.enterprise_id, f"SELECT * FROM {table}") == []


async def test_top_up_is_set_whole_and_by_who_saw_the_last_state(shared: Purses) -> None:
    owner = await shared.enterprise("EUR")
    wallet = pb.Wallet(id=str(owner.enterprise_id), top_up_threshold="5", top_up_amount="50")

    async def update(**fields: str) -> pb.Wallet:
        request = pb.UpdateWalletRequest(wallet=wallet)
        request.update_mask.paths.extend(["top_up_threshold", "top_up_amount"])
        for name, value in fields.items():
            setattr(request.wallet, name, value)
        return await shared.wallets.UpdateWallet(request, metadata=owner.metadata)

    made = await update()
    assert (made.currency, made.top_up_threshold, made.top_up_amount) == ("EUR", "5", "50")
    for fields, reason in (
        ({"etag": "1"}, "ETAG_MISMATCH"),
        ({"top_up_amount": ""}, "TOP_UP_INVALID"),
        ({"top_up_amount": "0"}, "TOP_UP_INVALID"),
        ({"top_up_threshold": "-1"}, "AMOUNT_INVALID"),
    ):
        assert (await refused(update(**fields)))[0] == reason
        assert await shared.shown(owner) == made
    assert (await update(top_up_threshold="", top_up_amount="", etag=made.etag)).top_up_amount == ""
    manager = shared.callers.employee(owner.enterprise_id, Title.TITLE_MANAGER)
    for known, reason in ((manager, "PAYING_NOT_YOURS"), (shared.admin, "PAYER_NOT_FOUND")):
        request = pb.UpdateWalletRequest(wallet=wallet)
        call = shared.wallets.UpdateWallet(request, metadata=known.metadata)
        assert (await refused(call))[0] == reason


async def test_owners_payers_and_administrators_see_the_wallet_and_for_others_there_is_none(
    shared: Purses,
) -> None:
    owner, personal = await shared.enterprise(), await shared.person()
    tenant_id = owner.enterprise_id
    payer = shared.callers.employee(tenant_id, Title.TITLE_MANAGER, duties=[Duty.DUTY_BILLING])
    for known in (owner, payer, shared.admin):
        assert (await shared.shown(known, tenant_id)).id == str(tenant_id)
    assert (await shared.shown(personal)).id == str(personal.account_id)
    others = (
        shared.callers.employee(tenant_id, Title.TITLE_MANAGER),
        shared.callers.employee(NEW(), Title.TITLE_OWNER),
        shared.callers.member(staff=StaffRight.STAFF_RIGHT_MODERATOR),
    )
    for known in others:
        for wallet_id in (tenant_id, personal.account_id, NEW()):
            assert (await refused(shared.shown(known, wallet_id)))[0] == "WALLET_NOT_FOUND"
    shared.callers.dismiss(owner)
    assert (await refused(shared.shown(owner)))[0] in {"WALLET_NOT_FOUND", "ACCOUNT_FROZEN"}
    for known in (payer, personal):
        request = pb.AddWalletBonusRequest(
            wallet_id=str(known.enterprise_id), amount="1", currency="USD", reason="for me"
        )
        call = shared.wallets.AddWalletBonus(request, metadata=known.metadata)
        assert (await refused(call))[0] == "NOT_ADMITTED"


_CHANGES = """
SELECT (before ->> 'balance')::numeric, (after ->> 'balance')::numeric FROM wrtn_wallet_changes
WHERE lot_id IS NULL ORDER BY sequence
"""
_LOT_CHANGES = """
SELECT (after ->> 'remaining')::numeric FROM wrtn_wallet_changes WHERE lot_id IS NOT NULL ORDER BY sequence
"""
_UNEVEN = (
    "UPDATE wrtn_wallets SET balance = 100",
    "UPDATE wrtn_wallet_lots SET remaining = 10",
    "DELETE FROM wrtn_wallet_lots",
    "DELETE FROM wrtn_wallet_changes",
    "UPDATE wrtn_wallet_changes SET after = before",
)
_FORGED = """
INSERT INTO wrtn_wallet_changes (tenant_id, database_role, create_time) SELECT tenant_id, 'me', now()
FROM wrtn_wallets
"""


async def test_every_change_is_recorded_by_the_database_and_an_uneven_wallet_is_refused(
    shared: Purses,
) -> None:
    owner = await shared.enterprise()
    await shared.bought(owner.enterprise_id, "10")
    await shared.used(Person(owner.enterprise_id), 4)
    changes = await shared.rows(owner.enterprise_id, _CHANGES)
    assert changes == [(None, 0), (0, 10), (10, 6)]
    assert await shared.rows(owner.enterprise_id, _LOT_CHANGES) == [(10,), (6,)]
    urls = shared.database.urls
    for url, statements in ((urls.app, (*_UNEVEN, _FORGED)), (urls.owner, _UNEVEN)):
        with connect(url) as connection:
            scope = f"{{{owner.enterprise_id}}}"
            connection.execute("SELECT set_config('wrtn.tenants', %s, false)", (scope,))
            for statement in statements:
                with pytest.raises(psycopg.Error) as caught:
                    connection.execute(statement)
                assert caught.value.sqlstate in {"23001", "23514", "42501"}, statement
    assert await shared.rows(owner.enterprise_id, _CHANGES) == changes


async def test_a_payment_told_twice_is_credited_once_and_credits_pay_what_is_owed(shared: Purses) -> None:
    owner = await shared.enterprise()
    tenant_id = owner.enterprise_id
    await shared.used(Person(tenant_id), 6)
    for _ in range(2):
        async with shared.database.app.transaction(Scope.of(tenant_id)) as tx:
            await wallets.purchase(
                tx, tenant_id, Decimal(10), "USD", source="cash:test", reference="payment:1"
            )
    for _ in range(2):
        async with shared.database.app.transaction(Scope.of(tenant_id)) as tx:
            paid = await wallets.burn(tx, tenant_id, Decimal(6), "USD", reference="invoice:1")
            assert paid == Decimal(6)
    assert (await shared.shown(owner)).balance == "4"
    assert "receivable" not in await shared.ledger(tenant_id)
    query = "SELECT count(*) FROM wrtn_outbox WHERE subject LIKE '%%wallet.credited' AND tenant_id = %s"
    with connect(shared.database.urls.worker) as worker:
        assert worker.execute(query, (tenant_id,)).fetchone() == (1,)

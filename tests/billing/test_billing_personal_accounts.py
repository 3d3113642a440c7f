"""Personal accounts pay in advance: nobody invoices them, so what they owe is paid by the next credits."""

from __future__ import annotations

from importlib import import_module

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import create_engine

from chassis.database import Scope
from services.billing.wallets.top_ups import top_up
from tests.billing.callers_of_models import Caller, caller, person
from tests.billing.office import refused
from tests.billing.paying import PayWorld
from wrtn.access.v1.access_pb2 import StaffRight
from wrtn.billing.v1 import wallets_pb2
from wrtn.billing.v1.spending_pb2 import Reservation

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def stand(who: Caller) -> tuple[bool, str, str, str]:
    """Answers what the wallet shows: whether it is prepaid, credits, held, owed."""
    found = await who.wallet()
    return found.prepaid, found.balance, found.reserved, found.owed


async def prepaid(who: Caller, on: bool, **more: str) -> wallets_pb2.Wallet:
    """Has an administrator say whether the account pays in advance."""
    request = wallets_pb2.SetWalletPrepaidRequest(
        wallet_id=str(who.id), prepaid=on, **{"reason": "an old friend"} | more
    )
    return await who.wallets.SetWalletPrepaid(request, metadata=who.payer.world.admin.metadata)  # type: ignore[no-any-return]


async def test_a_personal_account_spends_what_it_bought_and_a_top_up_pays_what_it_owes_first(
    world: PayWorld,
) -> None:
    async with person(world) as who:
        assert await stand(who) == (True, "0", "0", "0")
        for amount in ("0", "0.01"):
            reason, told = await refused(who.spend(amount))
            assert (reason, told["level"], told["left"]) == ("WALLET_EXCEEDED", "wallet", "0")
        await who.bought("10")
        held = await who.spend("9")
        assert (await refused(who.spend("1.01")))[0] == "WALLET_EXCEEDED"
        # More is used than was held: that is owed, shown, and stops the next call.
        await who.use("13", held)
        assert await stand(who) == (True, "0", "0", "3")
        assert (await refused(who.spend("0")))[0] == "WALLET_EXCEEDED"
        wanted = wallets_pb2.Wallet(id=str(who.id), top_up_threshold="5", top_up_amount="20")
        request = wallets_pb2.UpdateWalletRequest(wallet=wanted)
        request.update_mask.paths.extend(["top_up_threshold", "top_up_amount"])
        await who.wallets.UpdateWallet(request, metadata=who.payer.owner.metadata)
        async with world.running.runtime.db.transaction(Scope.of(who.id)) as tx:
            await top_up(tx, who.id)
        await world.collect()
        assert await stand(who) == (True, "17", "0", "0")
        assert (await who.payer.balances()) == {"cash:stripe": "30", "usage_revenue": "-13", "wallet": "-17"}
        assert (await who.spend("17")).state == Reservation.STATE_HELD


async def test_an_administrator_lets_an_account_owe_and_has_it_pay_in_advance_again(world: PayWorld) -> None:
    async with person(world) as who:
        for _ in range(2):
            assert not (await prepaid(who, False, request_id="one")).prepaid
        held = await who.spend("4")
        await who.use("4", held)
        assert await stand(who) == (False, "0", "0", "4")
        assert (await prepaid(who, True)).prepaid
        assert (await refused(who.spend("1")))[0] == "WALLET_EXCEEDED"
        await who.given("3")
        assert await stand(who) == (True, "0", "0", "1")
        await who.given("3")
        assert await stand(who) == (True, "2", "0", "0")
        audited = "SELECT count(*) FROM wrtn_audit_entries WHERE action = 'wallet.prepaid_set'"
        assert await who.payer.rows(audited) == [(2,)]
        for known in (who.payer.owner, world.callers.member(staff=StaffRight.STAFF_RIGHT_MODERATOR)):
            request = wallets_pb2.SetWalletPrepaidRequest(wallet_id=str(who.id), reason="for me")
            call = who.wallets.SetWalletPrepaid(request, metadata=known.metadata)
            assert (await refused(call))[0] == "NOT_ADMITTED"
        assert (await stand(who))[0]


async def test_credits_of_an_enterprise_pay_no_debts_since_it_is_invoiced_for_them(world: PayWorld) -> None:
    async with caller(world, prepaid=False) as who:
        await who.use("4")
        await who.given("10")
        assert await stand(who) == (False, "10", "0", "4")


async def test_accounts_of_before_have_wallets_that_are_prepaid_after_the_migration(world: PayWorld) -> None:
    async with person(world) as old, person(world) as bare, caller(world, prepaid=False) as enterprise:
        await prepaid(old, False)
        await old.given("2")
        for table in ("wrtn_wallets", "wrtn_wallet_holds"):
            async with world.database.app.transaction(Scope.of(bare.id)) as tx:
                await (await tx.driver()).execute(f"DELETE FROM {table}")
        engine = create_engine(world.database.urls.owner)
        with engine.begin() as owner, Operations.context(MigrationContext.configure(owner)):
            import_module("services.billing.migrations.0028_personal_wallets").upgrade()
        engine.dispose()
        assert await stand(old) == (True, "2", "0", "0")
        assert await stand(bare) == (True, "0", "0", "0")
        assert (await refused(bare.spend("1")))[0] == "WALLET_EXCEEDED"
        assert not (await enterprise.wallet()).prepaid

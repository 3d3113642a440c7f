"""Credits whose money is taken back while calls hold them: these end, the next is stopped, debts show."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from uuid import UUID

import pytest

from chassis.database import Scope
from chassis.database.roles import connect
from chassis.embedded.postgres import Postgres
from chassis.testing.waiting import until
from services.billing.ledger.chart import REFUNDS, WALLET, PostingKind
from services.billing.ledger.ledger import Line, post
from services.billing.wallets import purchases, wallets
from tests.billing.callers_of_models import Caller, caller
from tests.billing.office import refused
from tests.billing.paying import PayWorld
from tests.billing.test_billing_disputes import stands
from tests.billing.test_billing_refunds import intent_of, tell
from wrtn.billing.v1.spending_pb2 import Reservation

pytestmark = pytest.mark.asyncio(loop_scope="module")
_WAITING = """SELECT 1 FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%wrtn_wallet_holds%'"""


async def stand(who: Caller) -> tuple[str, str, str, str]:
    """Answers what the wallet shows: credits, held, left, owed."""
    found = await who.wallet()
    return found.balance, found.reserved, found.left, found.owed


async def test_a_lost_dispute_takes_what_calls_hold_and_the_next_call_is_refused_until_it_is_covered(
    world: PayWorld,
) -> None:
    async with caller(world) as who:
        paid = await who.bought("10")
        held, dropped = await who.spend("4"), await who.spend("2")
        await stands(who.payer, paid, "lost")
        assert await stand(who) == ("0", "6", "0", "0")
        for amount in ("0", "1"):
            reason, told = await refused(who.spend(amount))
            assert (reason, told["level"], told["left"]) == ("WALLET_EXCEEDED", "wallet", "0")
        # The call under way ends as it would have; what it used is owed, and shown.
        await who.use("3", held)
        assert await stand(who) == ("0", "2", "0", "3")
        assert (await refused(who.spend("0")))[0] == "WALLET_EXCEEDED"
        # New credits cover what is held still, before anything else.
        await who.given("5")
        assert await stand(who) == ("5", "2", "3", "3")
        assert (await refused(who.spend("3.01")))[0] == "WALLET_EXCEEDED"
        assert (await who.spend("3")).state == dropped.state == Reservation.STATE_HELD


async def test_a_refund_at_stripe_takes_what_calls_hold_and_other_credits_pay_for_what_was_spent(
    world: PayWorld,
) -> None:
    async with caller(world) as who:
        paid = await who.bought("10")
        await who.use("7")
        await who.given("5")
        held = await who.spend("6")
        await world.stripe.refund(await intent_of(who.payer, paid), 800)
        await tell(world, paid, "charge")
        # Three were unspent; of the five that were spent, the five given ones paid all.
        rows = await who.payer.rows("SELECT credits, debt FROM wrtn_refunds")
        assert rows == [(3, 5)]
        assert await stand(who) == ("0", "6", "0", "0")
        assert (await refused(who.spend("1")))[0] == "WALLET_EXCEEDED"
        await who.use("6", held)
        assert await stand(who) == ("0", "0", "0", "6")
        # On the next invoice as much is taken off as credits paid for what stays paid: two of ten, and five.
        assert await who.payer.rows("SELECT credits FROM wrtn_closings") == [(-5,)]


async def test_a_wallet_that_is_not_prepaid_stops_nobody(world: PayWorld) -> None:
    async with caller(world, prepaid=False) as who:
        paid = await who.bought("10")
        await who.spend("4")
        await stands(who.payer, paid, "lost")
        assert await stand(who) == ("0", "4", "0", "0")
        assert (await who.spend("5")).state == Reservation.STATE_HELD


async def test_no_call_is_admitted_on_credits_that_are_being_taken_back(
    world: PayWorld, postgres: Postgres
) -> None:
    async with caller(world) as who:
        paid = await who.bought("10")
        async with world.database.app.transaction(Scope.of(who.id)) as tx:
            reference = purchases.reference_of(UUID(paid.id))
            taken = await wallets.take_back(tx, who.id, Decimal(10), "USD", purchase=reference)
            lines = [Line(WALLET, taken), Line(REFUNDS, -taken)]
            await post(tx, who.id, "USD", PostingKind.REFUND, lines, "taken")
            asked = asyncio.ensure_future(who.spend("4"))
            with connect(postgres.url(world.database.name)) as root:

                def decided_or_waits() -> bool:
                    return asked.done() or bool(root.execute(_WAITING).fetchall())

                await until(decided_or_waits)
            assert not asked.done()
        assert (await refused(asked))[0] == "WALLET_EXCEEDED"

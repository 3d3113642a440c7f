"""Plans beyond whose tokens nothing is admitted: refused with what is left, counted as it is invoiced."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import grpc
import pytest
import pytest_asyncio

from chassis.database import Scope
from chassis.database.roles import connect
from chassis.errors import DomainError
from services.billing.models import KnownAccount, KnownEmployee, ReservationState
from services.billing.spending import reservations
from services.billing.spending.admission import Ask
from services.billing.spending.authorizing import authorize
from services.billing.spending.deciding import Wanted
from services.billing.store.reservations import Reservations
from services.identity.mail.letters import Letters
from tests.billing.buyers import Buyer
from tests.billing.office import MODEL, refused, told
from tests.billing.test_billing_included_tokens import including, plan, subscribe
from tests.usage import NEW, Person, tokens, usage
from wrtn.access.v1.access_pb2 import TITLE_MEMBER, TITLE_OWNER
from wrtn.billing.v1 import spending_pb2 as pb
from wrtn.billing.v1.events_pb2 import TokensRefused
from wrtn.billing.v1.spending_pb2_grpc import SpendServiceStub
from wrtn.billing.v1.wallets_pb2 import GetWalletRequest, SetWalletPrepaidRequest
from wrtn.billing.v1.wallets_pb2_grpc import WalletServiceStub

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass
class Team:
    """An enterprise on such a plan, and an employee who calls models."""

    buyer: Buyer
    person: Person
    spends: Any

    @property
    def metadata(self) -> Any:
        return self.buyer.callers.credential("sessions.record", tenant_id=self.buyer.id).metadata

    async def subscribe(self, included: int, verb: str = "Start", *, overage: bool = False) -> str:
        """Subscribes to a plan that includes so many tokens a month."""
        made = await plan(self.buyer, f"p-{NEW()}", including(included, overage=overage))
        await subscribe(self.buyer, made, verb)
        return made

    async def spend(self, wanted: int | str) -> pb.Reservation:
        """Reserves tokens, or an amount."""
        estimate = pb.SpendEstimate()
        if isinstance(wanted, str):
            estimate.amount = wanted
        else:
            estimate.tokens.output = wanted
        request = pb.AuthorizeSpendRequest(
            reservation_id=str(NEW()),
            tenant_id=str(self.buyer.id),
            account_id=str(self.person.account_id),
            model=MODEL,
            estimate=estimate,
        )
        return await self.spends.AuthorizeSpend(request, metadata=self.metadata)  # type: ignore[no-any-return]

    async def use(self, used: int, at: datetime, reservation: pb.Reservation | None = None) -> None:
        """Uses tokens."""
        message = usage(self.person, tokens(used - 1, 0, 1), model=MODEL, at=at)
        message.reservation_id = reservation.id if reservation is not None else ""
        await self.buyer.rate([message] * 2)

    async def left(self) -> tuple[str, str]:
        """Answers what a refusal says is left, and when it resets."""
        reason, said = await refused(self.spend(10**8))
        assert (reason, said["level"]) == ("TOKENS_EXCEEDED", "plan")
        return said["left"], said["reset_time"]


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc]


@pytest_asyncio.fixture(loop_scope="module")
async def team(buyer: Buyer) -> Team:
    """On the first of November."""
    person = Person(buyer.id)
    whose = {"tenant_id": buyer.id, "version": 1}
    employed = KnownEmployee(
        **whose, employee_id=person.employee_id, member_id=person.member_id, title=TITLE_MEMBER
    )
    owner = KnownEmployee(**whose, employee_id=NEW(), member_id=NEW(), title=TITLE_OWNER)
    account = KnownAccount(**whose, account_id=person.account_id, holder_member_id=person.member_id)
    async with buyer.database.app.transaction(Scope.of(buyer.id)) as tx:
        tx.session.add_all([employed, owner, account])
    buyer.at(2026, 11, 1)
    return Team(buyer, person, SpendServiceStub(buyer.running.channel()))


async def test_what_the_tokens_do_not_cover_is_refused_with_what_is_left_until_they_reset(team: Team) -> None:
    plan_id = await team.subscribe(1000)
    held = await team.spend(400)
    at = team.buyer.at(2026, 11, 2)
    # More is used than was held: it counts whole, once.
    await team.use(500, at, held)
    assert await team.left() == ("500", "2026-12-01T00:00:00+00:00")
    (last, rest) = await team.spend(499), await team.spend(1)
    reason, said = await refused(team.spend(0))
    assert (reason, said["level_id"], said["left"]) == ("TOKENS_EXCEEDED", plan_id, "0")
    assert (await refused(team.spend("0.01")))[0] == "TOKENS_NOT_ESTIMATED"
    asked = pb.ReleaseReservationRequest(tenant_id=str(team.buyer.id), reservation_id=last.id)
    for _ in range(2):
        await team.spends.ReleaseReservation(asked, metadata=team.metadata)
    assert (await team.left())[0] == "499"
    async with team.buyer.database.app.transaction(Scope.of(team.buyer.id)) as tx:
        rows = await Reservations(tx).lock_expired(team.buyer.id, at + timedelta(hours=1), 9)
        assert [str(row.id) for row in rows] == [rest.id]
        await reservations.end(tx, rows, ReservationState.EXPIRED)
    assert (await team.left())[0] == "500"
    team.buyer.at(2026, 12, 1)
    assert await team.left() == ("1000", "2027-01-01T00:00:00+00:00")
    # It is told once a month, to those who pay and to webhooks.
    query = "SELECT payload FROM wrtn_outbox WHERE subject LIKE '%%tokens.refused' AND tenant_id = %s"
    with connect(team.buyer.database.urls.worker) as worker:
        events = worker.execute(query, (team.buyer.id,)).fetchall()
    assert [TokensRefused.FromString(row[0]).plan_id for row in events] == [plan_id, plan_id]
    mails = "SELECT fills ->> 'until' FROM wrtn_letters WHERE template = 'tokens_refused' ORDER BY 1"
    assert await team.buyer.rows(mails) == [("2026-12-01 00:00 UTC",), ("2027-01-01 00:00 UTC",)]
    # What was admitted costs nothing beyond the plan.
    (invoice, *_) = await team.buyer.invoiced(2026, 12, 1, 1)
    assert invoice.total == "0.00"


async def test_what_was_used_before_anybody_asked_counts_and_a_change_of_plan_counts_anew(team: Team) -> None:
    await team.use(70, utc(2026, 11, 1))
    team.buyer.at(2026, 11, 16)
    await team.subscribe(1000)
    team.buyer.at(2026, 11, 17)
    await team.use(100, utc(2026, 11, 16, 12))
    # Half of the month is left; what was used before the plan is not its own.
    assert (await team.left())[0] == "400"
    held = await team.spend(300)
    await team.use(50, utc(2026, 11, 17))
    assert (await team.left())[0] == "50"
    await team.subscribe(31000, "Change")
    assert int((await team.left())[0]) > 10_000
    await team.subscribe(10, "Change", overage=True)
    # With overage nothing is refused; credits were never the limit.
    assert (await team.spend(10**6)).state == (await team.spend("5")).state == pb.Reservation.STATE_HELD
    await team.use(300, utc(2026, 11, 17), held)


async def test_more_is_held_by_an_extension_as_far_as_there_is(team: Team) -> None:
    await team.subscribe(100)
    held = await team.spend(60)

    async def extend(by: int) -> pb.Reservation:
        estimate = pb.SpendEstimate(tokens=pb.TokenEstimate(output=by))
        request = pb.ExtendReservationRequest(
            tenant_id=str(team.buyer.id), reservation_id=held.id, estimate=estimate
        )
        return await team.spends.ExtendReservation(request, metadata=team.metadata)  # type: ignore[no-any-return]

    assert (await refused(extend(41)))[1]["left"] == "40"
    await extend(30)
    assert (await team.left())[0] == "10"
    await team.use(20, utc(2026, 11, 1), held)
    assert (await team.left())[0] == "80"


async def test_forty_spenders_on_two_replicas_hold_what_twenty_may(team: Team) -> None:
    await team.subscribe(500)

    async def elsewhere() -> str:
        """As another replica decides, over the same database."""
        wanted = Wanted(
            NEW(), b"", team.person.account_id, None, MODEL, Ask(Decimal(0), 25), "USD", timedelta(minutes=9)
        )
        (outcome,) = await authorize(team.buyer.running.runtime.db, team.buyer.id, [wanted])
        return outcome.reason if isinstance(outcome, DomainError) else "ADMITTED"

    async def here() -> str:
        try:
            await team.spend(25)
        except grpc.aio.AioRpcError as error:
            return told(error)[0]
        return "ADMITTED"

    outcomes = await asyncio.gather(*(each() for _ in range(20) for each in (here, elsewhere)))
    assert Counter(outcomes) == {"ADMITTED": 20, "TOKENS_EXCEEDED": 20}
    assert await team.buyer.rows("SELECT sum(tokens) FROM wrtn_token_holds") == [(500,)]


async def test_identity_has_the_template() -> None:
    letter = Letters(public_url=None).write("tokens_refused", "en", {"until": "2026-12-01 00:00 UTC"})
    assert "2026-12-01 00:00 UTC" in letter.text
    assert "2026-12-01 00:00 UTC" in letter.html


async def test_while_a_plan_stands_it_says_whether_the_enterprise_pays_in_advance(team: Team) -> None:
    await team.subscribe(1000)
    wallets = WalletServiceStub(team.buyer.running.channel())
    request = SetWalletPrepaidRequest(wallet_id=str(team.buyer.id), prepaid=True, reason="a late payer")
    administrator = team.buyer.administrator.metadata
    assert (await refused(wallets.SetWalletPrepaid(request, metadata=administrator)))[
        0
    ] == "WALLET_SET_BY_PLAN"
    wallet = await wallets.GetWallet(GetWalletRequest(wallet_id=str(team.buyer.id)), metadata=administrator)
    assert not wallet.prepaid

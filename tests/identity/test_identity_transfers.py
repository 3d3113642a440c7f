"""Handing accounts over: offers and their answers, and what stays."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import grpc
import pytest

from tests.identity import make
from tests.identity.make import SignedIn
from tests.identity.service import Identity, MovableClock
from tests.identity.transferring import (
    CODES,
    State,
    accept,
    cancel,
    decline,
    held,
    holdings,
    new_id,
    offer,
    refused,
)
from wrtn.identity.v1 import accounts_pb2, transfers_pb2
from wrtn.identity.v1.members_pb2 import GetMemberRequest
from wrtn.identity.v1.principals_pb2 import ResolvePrincipalRequest
from wrtn.identity.v1.transfers_pb2 import AccountTransfer


async def test_a_personal_account_is_the_receivers_once_they_accept(identity: Identity) -> None:
    giver, receiver = await make.member(identity), await make.member(identity)
    transfer = await offer(identity, giver, receiver)
    assert (transfer.state, transfer.holder_member_id) == (State.STATE_PENDING, giver.member_id)
    assert transfer.expire_time.seconds - transfer.create_time.seconds == 7 * 24 * 3600
    assert [each.id for each in await held(identity, receiver)] == [receiver.account_id]
    accepted = await accept(identity, receiver, transfer.id)
    assert (accepted.id, accepted.state) == (transfer.id, State.STATE_ACCEPTED)
    own, inherited = await held(identity, receiver)
    assert (own.id, own.inherited) == (receiver.account_id, False)
    assert (inherited.id, inherited.tenant_id) == (giver.account_id, giver.account_id)
    assert (inherited.inherited, inherited.kind) == (True, accounts_pb2.Account.KIND_PERSONAL)
    (event,) = await make.published(identity, "account.transferred", giver.account_id)
    assert (event.account_id, event.tenant_id) == (giver.account_id, giver.account_id)
    assert (event.old_holder_member_id, event.new_holder_member_id) == (giver.member_id, receiver.member_id)


async def test_the_receiver_hears_of_the_offer_and_the_one_before_of_the_acceptance(
    identity: Identity,
) -> None:
    giver, receiver = await make.member(identity), await make.member(identity)
    transfer = await offer(identity, giver, receiver)
    assert "offered to you" in (await identity.mailbox.wait_for(receiver.email))["Subject"]
    await accept(identity, receiver, transfer.id)
    assert "no longer yours" in (await identity.mailbox.wait_for(giver.email))["Subject"]


async def test_each_step_is_audited_for_the_tenant_of_the_account(identity: Identity) -> None:
    giver, receiver = await make.member(identity), await make.member(identity)
    await cancel(identity, giver, giver.account_id, (await offer(identity, giver, receiver)).id)
    await accept(identity, receiver, (await offer(identity, giver, receiver)).id)
    found = await make.as_superuser(
        identity,
        "SELECT action, member_id::text, target_id::text FROM wrtn_audit_entries"
        f" WHERE tenant_id = '{giver.account_id}' AND action LIKE 'account.%' ORDER BY id",
    )
    steps = ["account.offered", "account.offer_ended", "account.offered", "account.transferred"]
    assert [action for action, _, _ in found] == steps
    assert [by for _, by, _ in found] == [giver.member_id] * 3 + [receiver.member_id]
    assert {target for _, _, target in found} == {giver.account_id}


async def test_the_receiver_acts_by_the_account_and_the_one_before_no_more(identity: Identity) -> None:
    giver, receiver = await make.member(identity), await make.member(identity)
    get = accounts_pb2.GetAccountRequest(account_id=giver.account_id)
    await identity.accounts.GetAccount(get, metadata=giver.metadata)
    await accept(identity, receiver, (await offer(identity, giver, receiver)).id)
    # The token of the one before ends at once, though it was good a moment ago and is remembered.
    ended = (CODES.UNAUTHENTICATED, "PRINCIPAL_ENDED")
    assert await refused(identity.accounts.GetAccount(get, metadata=giver.metadata)) == ended
    member = ResolvePrincipalRequest.MemberLogin(member_id=giver.member_id, account_id=giver.account_id)
    request = ResolvePrincipalRequest(member=member)
    assert not (await identity.principals.ResolvePrincipal(request, metadata=identity.peer())).active
    acting = await make.refresh(identity, receiver.pair.refresh_token, giver.account_id)
    assert acting.account_id == giver.account_id
    await identity.accounts.GetAccount(get, metadata=make.bearer(acting.access_token))


async def test_who_gives_their_own_account_away_has_another_and_their_login_goes_on_with_it(
    identity: Identity,
) -> None:
    giver, receiver = await make.member(identity), await make.member(identity)
    await accept(identity, receiver, (await offer(identity, giver, receiver)).id)
    pair = await make.refresh(identity, giver.pair.refresh_token)
    (own,) = await held(identity, SignedIn(giver.email, pair))
    assert pair.account_id == own.id != giver.account_id
    assert not own.inherited
    assert (await make.sign_in(identity, giver.email)).account_id == own.id
    # Who passes an inherited one on has their own already.
    again = SignedIn(
        receiver.email, await make.refresh(identity, receiver.pair.refresh_token, giver.account_id)
    )
    await accept(identity, SignedIn(giver.email, pair), (await offer(identity, again, giver.member_id)).id)
    assert [each.id for each in await held(identity, receiver)] == [receiver.account_id]
    assert {each.id for each in await held(identity, SignedIn(giver.email, pair))} == {
        own.id,
        giver.account_id,
    }


async def test_naming_the_account_that_went_away_is_refused_and_the_token_stays_good(
    identity: Identity,
) -> None:
    giver, receiver = await make.member(identity), await make.member(identity)
    await accept(identity, receiver, (await offer(identity, giver, receiver)).id)
    refresh_token = giver.pair.refresh_token
    assert await refused(make.refresh(identity, refresh_token, giver.account_id)) == (
        CODES.NOT_FOUND,
        "ACCOUNT_NOT_FOUND",
    )
    await make.refresh(identity, refresh_token)


async def test_it_stays_known_who_held_an_account_when(identity: Identity) -> None:
    giver, receiver = await make.member(identity), await make.member(identity)
    transfer = await accept(identity, receiver, (await offer(identity, giver, receiver)).id)
    latest, first = await holdings(identity, receiver, giver.account_id)
    assert (first.sequence, first.holder_member_id) == (1, giver.member_id)
    assert (latest.sequence, latest.holder_member_id) == (2, receiver.member_id)
    assert (latest.transfer_id, latest.cause) == (transfer.id, accounts_pb2.AccountHolding.CAUSE_ACCEPTED)
    assert first.end_time == latest.start_time == transfer.end_time
    assert not latest.HasField("end_time")
    for change in ("UPDATE wrtn_account_holdings SET sequence = 9", "DELETE FROM wrtn_account_holdings"):
        with pytest.raises(Exception, match="insert-only"):
            await make.as_superuser(identity, change)


async def test_one_transfer_of_an_account_is_pending_however_many_offer_at_once(identity: Identity) -> None:
    giver = await make.member(identity)
    receivers = [await make.member(identity) for _ in range(4)]
    attempts = [offer(identity, giver, receiver) for receiver in receivers * 2]
    answers = await asyncio.gather(*attempts, return_exceptions=True)
    made = [each for each in answers if isinstance(each, AccountTransfer)]
    others = [each for each in answers if isinstance(each, grpc.aio.AioRpcError)]
    assert (len(made), len(others)) == (1, 7)
    assert {(each.code(), make.reason(each)) for each in others} == {
        (CODES.FAILED_PRECONDITION, "TRANSFER_PENDING")
    }
    pending = f"state = 'PENDING' AND account_id = '{giver.account_id}'"
    query = f"SELECT count(*) FROM wrtn_account_transfers WHERE {pending}"
    assert await make.as_superuser(identity, query) == [(1,)]


async def test_an_offer_is_accepted_once_however_often_at_once(identity: Identity) -> None:
    giver, receiver = await make.member(identity), await make.member(identity)
    transfer = await offer(identity, giver, receiver)
    attempts = [accept(identity, receiver, transfer.id) for _ in range(6)]
    answers = await asyncio.gather(*attempts, return_exceptions=True)
    assert sum(isinstance(each, AccountTransfer) for each in answers) == 1
    assert len(await make.published(identity, "account.transferred", giver.account_id)) == 1
    assert len(await held(identity, receiver)) == 2


async def test_an_offer_that_is_declined_taken_back_or_expired_changes_nothing(
    identity: Identity, clock: MovableClock
) -> None:
    giver, receiver = await make.member(identity), await make.member(identity)
    declined = await decline(identity, receiver, (await offer(identity, giver, receiver)).id)
    assert declined.state == State.STATE_DECLINED
    taken = await offer(identity, giver, receiver)
    assert (await cancel(identity, giver, giver.account_id, taken.id)).state == State.STATE_CANCELLED
    expired = await offer(identity, giver, receiver)
    not_pending = (CODES.FAILED_PRECONDITION, "TRANSFER_NOT_PENDING")
    for each in (declined, taken):
        assert await refused(accept(identity, receiver, each.id)) == not_pending
        assert await refused(decline(identity, receiver, each.id)) == not_pending
        assert await refused(cancel(identity, giver, giver.account_id, each.id)) == not_pending
    clock.ahead += timedelta(days=7, seconds=1)
    giver, receiver = await make.sign_in(identity, giver.email), await make.sign_in(identity, receiver.email)
    assert await refused(accept(identity, receiver, expired.id)) == not_pending
    request = transfers_pb2.ListReceivedTransfersRequest()
    found = await identity.transfers.ListReceivedTransfers(request, metadata=receiver.metadata)
    states = [State.STATE_EXPIRED, State.STATE_CANCELLED, State.STATE_DECLINED]
    assert [each.state for each in found.account_transfers] == states
    # The account is free to be offered again.
    await offer(identity, giver, receiver)
    assert len(await held(identity, giver)) == 1
    assert len(await make.published(identity, "account.transfer_ended", giver.account_id)) == 2
    assert await make.published(identity, "account.transferred", giver.account_id) == []


async def test_nobody_but_the_holder_offers_and_nobody_but_the_receiver_answers(identity: Identity) -> None:
    giver, receiver, other = [await make.member(identity) for _ in range(3)]
    no_account, no_transfer = (CODES.NOT_FOUND, "ACCOUNT_NOT_FOUND"), (CODES.NOT_FOUND, "TRANSFER_NOT_FOUND")
    for account_id in (giver.account_id, new_id()):
        assert await refused(offer(identity, other, receiver, account_id)) == no_account
    transfer = await offer(identity, giver, receiver)
    for transfer_id in (transfer.id, new_id()):
        assert await refused(accept(identity, other, transfer_id)) == no_transfer
        assert await refused(decline(identity, other, transfer_id)) == no_transfer
        assert await refused(cancel(identity, other, giver.account_id, transfer_id)) == no_account
        assert await refused(cancel(identity, other, other.account_id, transfer_id)) == no_transfer
    assert await refused(accept(identity, giver, transfer.id)) == no_transfer
    assert await refused(holdings(identity, other, giver.account_id)) == no_account


async def test_an_account_goes_to_another_active_member(identity: Identity) -> None:
    giver = await make.member(identity)
    assert await refused(offer(identity, giver, giver)) == (CODES.INVALID_ARGUMENT, "TRANSFER_TO_ONESELF")
    assert await refused(offer(identity, giver, new_id())) == (CODES.NOT_FOUND, "MEMBER_NOT_FOUND")
    pending = await make.pending(identity)
    assert await refused(offer(identity, giver, pending)) == (CODES.NOT_FOUND, "MEMBER_NOT_FOUND")


async def test_an_offer_repeated_with_its_request_id_is_one_offer(identity: Identity) -> None:
    giver, receiver = await make.member(identity), await make.member(identity)
    first = await offer(identity, giver, receiver, request_id="once")
    assert await offer(identity, giver, receiver, request_id="once") == first


async def test_a_token_remembered_by_another_process_ends_by_the_event(identity: Identity) -> None:
    giver, receiver = await make.member(identity), await make.member(identity)
    await identity.members.GetMember(GetMemberRequest(member_id="me"), metadata=giver.metadata)
    await accept(identity, receiver, (await offer(identity, giver, receiver)).id)
    (row,) = await make.as_superuser(
        identity,
        "SELECT subject, tenant_id::text FROM wrtn_outbox"
        f" WHERE subject LIKE '%account.transferred' AND tenant_id = '{giver.account_id}'",
    )
    assert row == ("wrtn.identity.v1.account.transferred", giver.account_id)

"""The accounts of an enterprise: handed over by its managers, or by its decision when somebody has left."""

from __future__ import annotations

import asyncio

from tests.identity import make
from tests.identity.make import SignedIn
from tests.identity.service import Identity
from tests.identity.transferring import (
    CODES,
    State,
    accept,
    decision,
    employ,
    held,
    holdings,
    new_id,
    offer,
    refused,
)
from wrtn.access.v1.access_pb2 import Title
from wrtn.identity.v1 import accounts_pb2


async def test_managers_hand_an_enterprises_account_to_an_employee_of_it(identity: Identity) -> None:
    enterprise_id = new_id()
    manager = await employ(identity, enterprise_id, Title.TITLE_MANAGER)
    holder, receiver = await employ(identity, enterprise_id), await employ(identity, enterprise_id)
    outsider = await make.member(identity)
    # Its holder does not: it is the enterprise's.
    assert await refused(offer(identity, holder, receiver)) == (
        CODES.PERMISSION_DENIED,
        "TRANSFER_NOT_ALLOWED",
    )
    assert await refused(offer(identity, receiver, receiver, holder.account_id)) == (
        CODES.NOT_FOUND,
        "ACCOUNT_NOT_FOUND",
    )
    assert await refused(offer(identity, manager, outsider, holder.account_id)) == (
        CODES.FAILED_PRECONDITION,
        "RECEIVER_NOT_EMPLOYED",
    )
    for to in (manager, holder):
        assert await refused(offer(identity, manager, to, holder.account_id)) == (
            CODES.INVALID_ARGUMENT,
            "TRANSFER_TO_ONESELF",
        )
    transfer = await offer(identity, manager, receiver, holder.account_id)
    assert (transfer.decider_member_id, transfer.tenant_id) == (manager.member_id, enterprise_id)
    await accept(identity, receiver, transfer.id)
    mine = {each.id: each for each in await held(identity, receiver)}
    assert mine[holder.account_id].tenant_id == enterprise_id
    # The holder still works there, and goes on with an account of their own.
    pair = await make.refresh(identity, holder.pair.refresh_token)
    found = await held(identity, SignedIn(holder.email, pair))
    assert [each.tenant_id for each in found if each.kind == accounts_pb2.Account.KIND_ENTERPRISE] == [
        enterprise_id
    ]
    assert holder.account_id not in [each.id for each in found]


async def test_the_account_of_a_manager_is_handed_over_by_owners_alone(identity: Identity) -> None:
    enterprise_id = new_id()
    owner = await employ(identity, enterprise_id, Title.TITLE_OWNER)
    manager = await employ(identity, enterprise_id, Title.TITLE_MANAGER)
    other, receiver = (
        await employ(identity, enterprise_id, Title.TITLE_MANAGER),
        await employ(identity, enterprise_id),
    )
    not_allowed = (CODES.PERMISSION_DENIED, "TRANSFER_NOT_ALLOWED")
    for each in (owner, other):
        assert await refused(offer(identity, manager, receiver, each.account_id)) == not_allowed
    await offer(identity, owner, receiver, manager.account_id)


async def test_a_manager_of_another_enterprise_sees_no_account_of_this(identity: Identity) -> None:
    here, elsewhere = new_id(), new_id()
    holder, receiver = await employ(identity, here), await employ(identity, here)
    stranger = await employ(identity, elsewhere, Title.TITLE_OWNER)
    no_account = (CODES.NOT_FOUND, "ACCOUNT_NOT_FOUND")
    for account_id in (holder.account_id, new_id()):
        assert await refused(offer(identity, stranger, receiver, account_id)) == no_account
        assert await refused(holdings(identity, stranger, account_id)) == no_account


async def test_who_left_the_enterprise_before_accepting_gets_nothing(identity: Identity) -> None:
    enterprise_id = new_id()
    owner = await employ(identity, enterprise_id, Title.TITLE_OWNER)
    holder, receiver = await employ(identity, enterprise_id), await employ(identity, enterprise_id)
    transfer = await offer(identity, owner, receiver, holder.account_id)
    del identity.employees[enterprise_id][receiver.member_id]
    assert await refused(accept(identity, receiver, transfer.id)) == (
        CODES.FAILED_PRECONDITION,
        "RECEIVER_NOT_EMPLOYED",
    )
    assert await make.published(identity, "account.transferred", holder.account_id) == []


async def test_the_enterprise_decides_where_the_account_of_who_left_goes(identity: Identity) -> None:
    enterprise_id = new_id()
    owner = await employ(identity, enterprise_id, Title.TITLE_OWNER)
    holder, receiver = await employ(identity, enterprise_id), await employ(identity, enterprise_id)
    waiting = await offer(identity, owner, receiver, holder.account_id)
    del identity.employees[enterprise_id][holder.member_id]
    asked = decision(enterprise_id, holder, receiver, decider_member_id=owner.member_id)
    answers = await asyncio.gather(
        *(identity.transfers.TransferAccount(asked, metadata=identity.peer()) for _ in range(4))
    )
    assert all(each == answers[0] for each in answers)
    assert (answers[0].id, answers[0].state) == (asked.transfer_id, State.STATE_DECIDED)
    assert len(await make.published(identity, "account.transferred", holder.account_id)) == 1
    latest, _ = await holdings(identity, owner, holder.account_id)
    assert (latest.cause, latest.transfer_id) == (
        accounts_pb2.AccountHolding.CAUSE_DECIDED,
        asked.transfer_id,
    )
    # Who left gets no other account there, and the offer that waited is over.
    pair = await make.refresh(identity, holder.pair.refresh_token)
    found = await held(identity, SignedIn(holder.email, pair))
    assert [each.kind for each in found] == [accounts_pb2.Account.KIND_PERSONAL]
    assert await refused(accept(identity, receiver, waiting.id)) == (
        CODES.FAILED_PRECONDITION,
        "TRANSFER_NOT_PENDING",
    )


async def test_a_decision_that_fits_nothing_changes_nothing(identity: Identity) -> None:
    enterprise_id = new_id()
    holder, receiver = await employ(identity, enterprise_id), await employ(identity, enterprise_id)
    third = await employ(identity, enterprise_id)
    good = decision(enterprise_id, holder, receiver)
    for asked, code in (
        (decision(enterprise_id, holder, receiver, account_id=new_id()), "ACCOUNT_NOT_FOUND"),
        (decision(new_id(), holder, receiver), "ACCOUNT_NOT_FOUND"),
        (decision(enterprise_id, holder, receiver, receiver_member_id=new_id()), "MEMBER_NOT_FOUND"),
        (
            decision(enterprise_id, holder, receiver, holder_member_id=third.member_id),
            "ACCOUNT_HELD_BY_ANOTHER",
        ),
        (decision(enterprise_id, holder, holder), "TRANSFER_TO_ONESELF"),
    ):
        found = await refused(identity.transfers.TransferAccount(asked, metadata=identity.peer()))
        assert found[1] == code
    assert await make.published(identity, "account.transferred", holder.account_id) == []
    await identity.transfers.TransferAccount(good, metadata=identity.peer())
    other = decision(enterprise_id, holder, third, transfer_id=good.transfer_id)
    assert await refused(identity.transfers.TransferAccount(other, metadata=identity.peer())) == (
        CODES.ALREADY_EXISTS,
        "TRANSFER_EXISTS",
    )
    # Enterprise alone decides.
    assert await refused(identity.transfers.TransferAccount(good, metadata=holder.metadata)) == (
        CODES.UNAUTHENTICATED,
        "PRINCIPAL_ENDED",
    )
    assert await refused(identity.transfers.TransferAccount(good, metadata=third.metadata)) == (
        CODES.PERMISSION_DENIED,
        "NOT_ADMITTED",
    )


async def test_opening_an_account_again_after_it_was_handed_over_changes_nothing(identity: Identity) -> None:
    enterprise_id = new_id()
    holder, receiver = await employ(identity, enterprise_id), await employ(identity, enterprise_id)
    await identity.transfers.TransferAccount(
        decision(enterprise_id, holder, receiver), metadata=identity.peer()
    )
    again = await make.open_account(
        identity, holder.member_id, enterprise_id=enterprise_id, account_id=holder.account_id
    )
    assert again.holder_member_id == receiver.member_id

"""wrtn.identity.v1 TransferService."""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from uuid import UUID

import grpc

from chassis import call
from chassis.access.principals import Principals
from chassis.call import Caller
from chassis.clock import Clock
from chassis.crypto import KeyDestroyed, Keyring
from chassis.database import Database, Scope, Transaction
from chassis.idempotency import once
from chassis.paging import Page, time_and_id
from services.identity import convert
from services.identity.accounts import transfers
from services.identity.accounts.reach import Reach, require_acting
from services.identity.accounts.transfers import Decision, Replacement
from services.identity.errors import (
    MemberHasNoAddress,
    ReceiverNotEmployed,
    TransferNotAllowed,
    TransferToOneself,
)
from services.identity.mail import mails
from services.identity.mail.post import Post
from services.identity.members import members
from services.identity.models import Account, AccountKind, AccountTransfer, MemberState, TransferState
from services.identity.rpc.callers import member_of, signed_in
from services.identity.store import Accounts, Members, Transfers, admit_member
from wrtn.access.v1.access_pb2 import Title
from wrtn.identity.v1 import transfers_pb2 as pb
from wrtn.identity.v1.transfers_pb2_grpc import TransferServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class TransferRpc(TransferServiceServicer):
    """wrtn.identity.v1 TransferService. What enterprise knows is asked before a transaction opens."""

    def __init__(
        self, clock: Clock, db: Database, keyring: Keyring, post: Post, reach: Reach, cache: Principals
    ) -> None:
        self._clock = clock
        self._db = db
        self._keyring = keyring
        self._post = post
        self._reach = reach
        self._cache = cache

    async def OfferAccount(self, request: pb.OfferAccountRequest, context: Context) -> pb.AccountTransfer:
        """Offers the account to an active member, of the enterprise if the account is an enterprise's."""
        caller = call.current().caller
        receiver = UUID(request.receiver_member_id)
        account = await self._offerable(caller, UUID(request.account_id))
        if receiver in (account.holder_member_id, caller.member_id):
            raise TransferToOneself("An account is handed to somebody else.", field="receiver_member_id")
        await self._check_receiver(account, receiver)

        async def work(tx: Transaction) -> pb.AccountTransfer:
            await require_acting(tx, caller)
            decider, _ = signed_in(caller)
            offered = await transfers.offer(tx, account, receiver, decider)
            await self._tell(tx, receiver, "account_offered", account)
            return convert.transfer(offered, tx.now)

        return await once(self._db, _scope(account.tenant_id, caller), request, work)

    async def AcceptTransfer(self, request: pb.AcceptTransferRequest, context: Context) -> pb.AccountTransfer:
        """The receiver's after this commit; this process knows at once, the others by the event."""
        caller = call.current().caller
        seen = await self._received(caller, UUID(request.transfer_id))
        replacement = await self._replacement(seen)
        async with self._db.snapshot(Scope.of(seen.tenant_id)) as snapshot:
            account = await Accounts(snapshot).in_tenant(seen.tenant_id, seen.account_id)
        if account is None:
            raise transfers.not_found()

        async def work(tx: Transaction) -> pb.AccountTransfer:
            await require_acting(tx, caller)
            accepted = await transfers.accept(tx, self._keyring, seen, replacement)
            await self._tell(tx, seen.holder_member_id, "account_handed_over", account)
            tx.after_commit(lambda: self._cache.drop([seen.account_id]))
            return convert.transfer(accepted, tx.now)

        scope = Scope.of(seen.tenant_id, replacement.account_id, member_id=caller.member_id)
        return await once(self._db, scope, request, work)

    async def DeclineTransfer(
        self, request: pb.DeclineTransferRequest, context: Context
    ) -> pb.AccountTransfer:
        """The account stays where it is."""
        caller = call.current().caller
        seen = await self._received(caller, UUID(request.transfer_id))

        async def work(tx: Transaction) -> pb.AccountTransfer:
            return convert.transfer(await transfers.end(tx, seen, TransferState.DECLINED), tx.now)

        return await once(self._db, _scope(seen.tenant_id, caller), request, work)

    async def CancelTransfer(self, request: pb.CancelTransferRequest, context: Context) -> pb.AccountTransfer:
        """The account stays where it is."""
        caller = call.current().caller
        account = await self._offerable(caller, UUID(request.account_id))

        async def work(tx: Transaction) -> pb.AccountTransfer:
            seen = await Transfers(tx).get(UUID(request.transfer_id), account_id=account.id)
            if seen is None:
                raise transfers.not_found()
            return convert.transfer(await transfers.end(tx, seen, TransferState.CANCELLED), tx.now)

        return await once(self._db, _scope(account.tenant_id, caller), request, work)

    async def ListReceivedTransfers(
        self, request: pb.ListReceivedTransfersRequest, context: Context
    ) -> pb.ListReceivedTransfersResponse:
        """The transfers to the caller, whatever became of them."""
        page = Page.of(request)
        member_id = member_of(call.current().caller)
        async with self._db.snapshot(Scope.of(member_id=member_id)) as snapshot:
            rows = await Transfers(snapshot).newest_received(
                member_id, page.after(time_and_id), page.size + 1
            )
        found, token = page.cut(rows, key=_place)
        shown = [convert.transfer(row, self._clock.now()) for row in found]
        return pb.ListReceivedTransfersResponse(account_transfers=shown, next_page_token=token)

    async def ListAccountTransfers(
        self, request: pb.ListAccountTransfersRequest, context: Context
    ) -> pb.ListAccountTransfersResponse:
        """The transfers of the account, whatever became of them."""
        page = Page.of(request)
        account = await self._reach.account(call.current().caller, UUID(request.account_id))
        before = page.after(time_and_id)
        async with self._db.snapshot(Scope.of(account.tenant_id)) as snapshot:
            store = Transfers(snapshot)
            rows = await store.newest_of(account.tenant_id, account.id, before, page.size + 1)
        found, token = page.cut(rows, key=_place)
        shown = [convert.transfer(row, self._clock.now()) for row in found]
        return pb.ListAccountTransfersResponse(account_transfers=shown, next_page_token=token)

    async def TransferAccount(
        self, request: pb.TransferAccountRequest, context: Context
    ) -> pb.AccountTransfer:
        """Enterprise has judged the receiver's employment; whether they may act, identity judges."""
        decision = Decision(
            UUID(request.transfer_id),
            UUID(request.enterprise_id),
            UUID(request.account_id),
            UUID(request.holder_member_id),
            UUID(request.receiver_member_id),
            UUID(request.decider_member_id) if request.decider_member_id else None,
        )
        if decision.holder_member_id == decision.receiver_member_id:
            raise TransferToOneself("An account is handed to somebody else.", field="receiver_member_id")

        async def work(tx: Transaction) -> pb.AccountTransfer:
            decided = await transfers.decide(tx, decision)
            tx.after_commit(lambda: self._cache.drop([decision.account_id]))
            return convert.transfer(decided, tx.now)

        scope = Scope.of(decision.tenant_id, member_id=decision.receiver_member_id)
        return await once(self._db, scope, request, work)

    async def _tell(self, tx: Transaction, member_id: UUID, template: str, account: Account) -> None:
        """Mails to a member about an account; the scope is theirs afterwards. The last thing that is done."""
        await admit_member(tx, member_id)
        with suppress(MemberHasNoAddress, KeyDestroyed):
            await mails.to_member(tx, self._keyring, self._post, member_id, template, {"code": account.code})

    async def _offerable(self, caller: Caller, account_id: UUID) -> Account:
        """Answers an account that the caller may hand over.

        Raises AccountNotFound for one they do not see, TransferNotAllowed for one they only see.
        """
        account = await self._reach.account(caller, account_id)
        if account.kind == AccountKind.PERSONAL:
            return account
        if caller.tenant_id != account.tenant_id or caller.account_id is None:
            raise TransferNotAllowed("Act for the enterprise to hand its account over.")
        own = await self._reach.title(account.tenant_id, caller.account_id, caller.member_id)
        holder = await self._reach.title(account.tenant_id, account.id, account.holder_member_id)
        least = Title.TITLE_OWNER if holder >= Title.TITLE_MANAGER else Title.TITLE_MANAGER
        if own < least:
            raise TransferNotAllowed("The caller's title does not suffice to hand this account over.")
        return account

    async def _check_receiver(self, account: Account, receiver: UUID) -> None:
        """Raises MemberNotFound unless active, ReceiverNotEmployed unless of the account's enterprise."""
        async with self._db.snapshot(Scope.of(member_id=receiver)) as snapshot:
            member = await Members(snapshot).get(receiver)
        if member is None or member.state != MemberState.ACTIVE:
            raise members.not_found()
        await self._check_employed(account.tenant_id, account.id, receiver)

    async def _check_employed(self, tenant_id: UUID, account_id: UUID, receiver: UUID) -> None:
        if tenant_id != account_id and not await self._reach.title(tenant_id, account_id, receiver):
            raise ReceiverNotEmployed("The receiver does not work in the account's enterprise.")

    async def _received(self, caller: Caller, transfer_id: UUID) -> AccountTransfer:
        member_id, _ = signed_in(caller)
        async with self._db.snapshot(Scope.of(member_id=member_id)) as snapshot:
            found = await Transfers(snapshot).received(transfer_id, member_id)
        if found is None:
            raise transfers.not_found()
        return found

    async def _replacement(self, seen: AccountTransfer) -> Replacement:
        """Judges the receiver's employment at this moment, and whether the holder needs another account."""
        await self._check_employed(seen.tenant_id, seen.account_id, seen.receiver_member_id)
        employed = await self._reach.title(seen.tenant_id, seen.account_id, seen.holder_member_id)
        return Replacement(self._clock.new_id(), employed > Title.TITLE_UNSPECIFIED)


def _scope(tenant_id: UUID, caller: Caller) -> Scope:
    return Scope.of(tenant_id, member_id=caller.member_id)


def _place(row: AccountTransfer) -> tuple[str, str]:
    return row.create_time.isoformat(), str(row.id)

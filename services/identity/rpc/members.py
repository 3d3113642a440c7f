"""wrtn.identity.v1 MemberService."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import grpc

from chassis import call, masks
from chassis.access.principals import Principals
from chassis.clock import Clock
from chassis.crypto import Keyring
from chassis.database import Database, Scope, Transaction
from chassis.idempotency import once
from services.identity import bearers, convert
from services.identity.mail.post import Post
from services.identity.members import addresses, closing, members, profiles
from services.identity.rpc.callers import oneself, signed_in
from services.identity.sign_in import guesses
from services.identity.sign_in.guesses import Spent
from services.identity.sign_in.passwords import Passwords
from services.identity.sign_in.proofs import Given, Proofs
from services.identity.sign_in.proving import PasswordCheck
from services.identity.staff import staff_reads
from wrtn.identity.v1 import members_pb2
from wrtn.identity.v1.members_pb2_grpc import MemberServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class MemberRpc(MemberServiceServicer):
    """wrtn.identity.v1 MemberService."""

    def __init__(
        self,
        clock: Clock,
        db: Database,
        keyring: Keyring,
        passwords: Passwords,
        post: Post,
        check: PasswordCheck,
        proofs: Proofs,
        cache: Principals,
    ) -> None:
        self._clock = clock
        self._db = db
        self._keyring = keyring
        self._passwords = passwords
        self._post = post
        self._check = check
        self._proofs = proofs
        self._cache = cache

    async def RegisterMember(
        self, request: members_pb2.RegisterMemberRequest, context: Context
    ) -> members_pb2.RegisterMemberResponse:
        """Hashes the password before the transaction opens: it takes long."""
        address = addresses.parsed(request.email)
        members.check_time_zone(request.time_zone or members.TIME_ZONE)
        await self._passwords.check_strength(request.password, address, request.display_name)
        person = members.Person(
            id=self._clock.new_id(),
            address=address,
            display_name=request.display_name,
            password_hash=await self._passwords.hash(request.password),
            locale=request.locale or members.LOCALE,
            time_zone=request.time_zone or members.TIME_ZONE,
        )

        async def work(tx: Transaction) -> members_pb2.RegisterMemberResponse:
            await members.register(tx, self._keyring, self._post, person)
            return members_pb2.RegisterMemberResponse()

        return await once(self._db, Scope.of(member_id=person.id), request, work)

    async def VerifyEmail(
        self, request: members_pb2.VerifyEmailRequest, context: Context
    ) -> members_pb2.Member:
        """The token names the member, in whose scope it is looked up. Nobody is signed in by it."""
        account_id = self._clock.new_id()
        member_id = bearers.owner_of(bearers.VERIFICATION, request.token) or members.refuse_verification()

        async def work(tx: Transaction) -> members_pb2.Member:
            member = await members.verify(tx, self._keyring, member_id, request.token, account_id)
            return convert.member(await members.profile(tx, self._keyring, member))

        return await once(self._db, Scope.of(account_id, member_id=member_id), request, work)

    async def GetMember(self, request: members_pb2.GetMemberRequest, context: Context) -> members_pb2.Member:
        """Members see themselves alone, with their addresses; staff see all, without, and on record."""
        caller = call.current().caller
        wanted = caller.member_id if request.member_id == "me" else UUID(request.member_id)
        if wanted is None or (wanted != caller.member_id and not caller.staff):
            raise members.not_found()
        own = wanted == caller.member_id
        rows = (
            self._db.snapshot(Scope.of(member_id=wanted))
            if own
            else staff_reads.opened(self._db, "member.read", member_id=wanted)
        )
        async with rows as snapshot:
            member = await members.get(snapshot, wanted)
            return convert.member(
                await members.profile(snapshot, self._keyring, member, own=own, holds=bool(caller.staff))
            )

    async def UpdateMember(
        self, request: members_pb2.UpdateMemberRequest, context: Context
    ) -> members_pb2.Member:
        """The caller alone."""
        member_id = oneself(call.current().caller, request.member.id)
        changes = masks.changes(request.member, request.update_mask, allowed=profiles.FIELDS)

        async def work(tx: Transaction) -> members_pb2.Member:
            member = await profiles.update(tx, self._keyring, member_id, request.member.etag, changes)
            return convert.member(await members.profile(tx, self._keyring, member, own=True))

        return await once(self._db, Scope.of(member_id=member_id), request, work)

    async def CloseMember(
        self, request: members_pb2.CloseMemberRequest, context: Context
    ) -> members_pb2.Member:
        """This process knows at once, the others by the events."""
        caller = call.current().caller
        member_id, (_, login_id) = oneself(caller, request.member_id), signed_in(caller)
        spent: Spent | None = None
        if request.password:
            spent = (await self._check.check(member_id, request.password, "password")).spent
        else:
            await self._proofs.prove(member_id, login_id, Given())

        async def work(tx: Transaction) -> members_pb2.Member:
            if spent is not None:
                await guesses.give_back(tx, spent)
            member, ended = await closing.close(tx, self._keyring, self._post, member_id)
            tx.after_commit(lambda: self._cache.drop([member_id, *ended]))
            return convert.member(await members.profile(tx, self._keyring, member))

        return await once(self._db, Scope.of(member_id=member_id), request, work)

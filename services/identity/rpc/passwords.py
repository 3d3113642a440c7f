"""wrtn.identity.v1 PasswordService."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import grpc
from google.protobuf.empty_pb2 import Empty

from chassis import call
from chassis.access.principals import Principals
from chassis.crypto import Keyring
from chassis.database import Database, Scope, Transaction
from chassis.idempotency import once, replayed
from services.identity import bearers
from services.identity.mail.post import Post
from services.identity.members import addresses
from services.identity.models import Member
from services.identity.rpc.callers import oneself, signed_in
from services.identity.sign_in import guesses, password_changes
from services.identity.sign_in.passwords import Passwords
from services.identity.sign_in.proving import PasswordCheck
from wrtn.identity.v1 import passwords_pb2
from wrtn.identity.v1.passwords_pb2_grpc import PasswordServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class PasswordRpc(PasswordServiceServicer):
    """wrtn.identity.v1 PasswordService. What is slow, the hashing, is done before a transaction opens."""

    def __init__(
        self,
        db: Database,
        keyring: Keyring,
        passwords: Passwords,
        check: PasswordCheck,
        post: Post,
        cache: Principals,
    ) -> None:
        self._db = db
        self._keyring = keyring
        self._passwords = passwords
        self._check = check
        self._post = post
        self._cache = cache

    async def ChangePassword(self, request: passwords_pb2.ChangePasswordRequest, context: Context) -> Empty:
        """The login of the call goes on; this process knows of the others' end at once."""
        caller = call.current().caller
        member_id, (_, login_id) = oneself(caller, request.member_id), signed_in(caller)
        # A repetition would find that the current password is another by now.
        if (answer := await replayed(self._db, request, Empty)) is not None:
            return answer
        proven = await self._check.check(member_id, request.current_password, "current_password")
        password_hash = await self._hashed(proven.member, request.new_password)

        async def work(tx: Transaction) -> Empty:
            await guesses.give_back(tx, proven.spent)
            ended = await password_changes.change(
                tx, self._keyring, self._post, proven.member, password_hash, login_id
            )
            return self._forgotten(tx, ended)

        return await once(self._db, Scope.of(member_id=member_id), request, work)

    async def RequestPasswordReset(
        self, request: passwords_pb2.RequestPasswordResetRequest, context: Context
    ) -> Empty:
        """Tells nothing."""
        address = addresses.parsed(request.email)

        async def work(tx: Transaction) -> Empty:
            await password_changes.request(tx, self._keyring, self._post, address)
            return Empty()

        return await once(self._db, Scope(), request, work)

    async def ResetPassword(self, request: passwords_pb2.ResetPasswordRequest, context: Context) -> Empty:
        """The token names the member, in whose scope it is looked up. Nobody is signed in by it."""
        if (answer := await replayed(self._db, request, Empty)) is not None:
            return answer
        member_id = bearers.owner_of(bearers.RESET, request.token) or password_changes.refuse()
        scope = Scope.of(member_id=member_id)
        async with self._db.snapshot(scope) as snapshot:
            member = await password_changes.check_token(snapshot, member_id, request.token)
        password_hash = await self._hashed(member, request.new_password)

        async def work(tx: Transaction) -> Empty:
            ended = await password_changes.reset(
                tx, self._keyring, self._post, member_id, request.token, password_hash
            )
            return self._forgotten(tx, ended)

        return await once(self._db, scope, request, work)

    async def _hashed(self, member: Member, password: str) -> str:
        """Answers the hash of a new password; raises PasswordTooWeak."""
        async with self._db.snapshot(Scope.of(member_id=member.id)) as snapshot:
            hints = await password_changes.hints(snapshot, self._keyring, member)
        await self._passwords.check_strength(password, *hints, field="new_password")
        return await self._passwords.hash(password)

    def _forgotten(self, tx: Transaction, ended: Sequence[UUID]) -> Empty:
        tx.after_commit(lambda: self._cache.drop(ended))
        return Empty()

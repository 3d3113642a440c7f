"""wrtn.identity.v1 SecondFactorService."""

from __future__ import annotations

from typing import Any

import grpc
from google.protobuf.empty_pb2 import Empty

from chassis import call
from chassis.crypto import Keyring
from chassis.database import Database, Transaction
from chassis.idempotency import once
from services.identity import convert
from services.identity.factors import factors
from services.identity.mail.post import Post
from services.identity.rpc.callers import given, signed_in
from services.identity.sign_in import guesses
from services.identity.sign_in.guesses import Bound, Guessing
from services.identity.sign_in.proofs import Proofs
from wrtn.identity.v1 import second_factors_pb2
from wrtn.identity.v1.second_factors_pb2_grpc import SecondFactorServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class SecondFactorRpc(SecondFactorServiceServicer):
    """wrtn.identity.v1 SecondFactorService."""

    def __init__(
        self, db: Database, keyring: Keyring, post: Post, proofs: Proofs, guessing: Guessing
    ) -> None:
        self._db = db
        self._keyring = keyring
        self._post = post
        self._proofs = proofs
        self._guessing = guessing

    async def GetSecondFactor(
        self, request: second_factors_pb2.GetSecondFactorRequest, context: Context
    ) -> second_factors_pb2.SecondFactor:
        """The caller's own."""
        member_id, _ = signed_in(call.current().caller)
        async with self._db.snapshot(call.current().caller.scope) as snapshot:
            return convert.second_factor(await factors.standing(snapshot, member_id))

    async def EnrolTotp(
        self, request: second_factors_pb2.EnrolTotpRequest, context: Context
    ) -> second_factors_pb2.EnrolTotpResponse:
        """Repeating it puts another secret in place of the one that was never confirmed."""
        caller = call.current().caller
        member_id, login_id = signed_in(caller)
        proven = await self._proofs.prove(member_id, login_id, given(request.proof))

        async def work(tx: Transaction) -> second_factors_pb2.EnrolTotpResponse:
            await self._proofs.use(tx, member_id, proven)
            begun = await factors.enrol(tx, self._keyring, member_id)
            return second_factors_pb2.EnrolTotpResponse(secret=begun.secret, uri=begun.uri)

        return await once(self._db, caller.scope, request, work)

    async def ConfirmTotp(
        self, request: second_factors_pb2.ConfirmTotpRequest, context: Context
    ) -> second_factors_pb2.RecoveryCodes:
        """A wrong code counts as a guess."""
        caller = call.current().caller
        member_id, _ = signed_in(caller)
        spent = await self._guessing.spend(Bound(f"confirmation {member_id}"))

        async def work(tx: Transaction) -> second_factors_pb2.RecoveryCodes:
            codes = await factors.confirm(tx, self._keyring, self._post, member_id, request.code)
            await guesses.give_back(tx, spent)
            return second_factors_pb2.RecoveryCodes(codes=codes)

        return await once(self._db, caller.scope, request, work)

    async def RenewRecoveryCodes(
        self, request: second_factors_pb2.RenewRecoveryCodesRequest, context: Context
    ) -> second_factors_pb2.RecoveryCodes:
        """The codes before are void."""
        caller = call.current().caller
        member_id, login_id = signed_in(caller)
        proven = await self._proofs.prove(member_id, login_id, given(request.proof))

        async def work(tx: Transaction) -> second_factors_pb2.RecoveryCodes:
            await self._proofs.use(tx, member_id, proven)
            codes = await factors.renew_codes(tx, self._keyring, self._post, member_id)
            return second_factors_pb2.RecoveryCodes(codes=codes)

        return await once(self._db, caller.scope, request, work)

    async def RemoveTotp(self, request: second_factors_pb2.RemoveTotpRequest, context: Context) -> Empty:
        """Removes the recovery codes too."""
        caller = call.current().caller
        member_id, login_id = signed_in(caller)
        proven = await self._proofs.prove(member_id, login_id, given(request.proof))

        async def work(tx: Transaction) -> Empty:
            await self._proofs.use(tx, member_id, proven)
            await factors.remove(tx, self._keyring, self._post, member_id)
            return Empty()

        return await once(self._db, caller.scope, request, work)

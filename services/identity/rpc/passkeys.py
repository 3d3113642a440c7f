"""wrtn.identity.v1 PasskeyService."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import grpc
from google.protobuf.empty_pb2 import Empty

from chassis import call
from chassis.crypto import Keyring
from chassis.database import Database, Transaction
from chassis.idempotency import once
from chassis.paging import Page, time_and_id
from services.identity import convert
from services.identity.factors import passkeys
from services.identity.factors.passkeys import Party
from services.identity.mail.post import Post
from services.identity.rpc.callers import credential_of, given, signed_in
from services.identity.sign_in.proofs import Proofs
from wrtn.identity.v1 import passkeys_pb2
from wrtn.identity.v1.passkeys_pb2_grpc import PasskeyServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class PasskeyRpc(PasskeyServiceServicer):
    """wrtn.identity.v1 PasskeyService."""

    def __init__(self, db: Database, keyring: Keyring, post: Post, proofs: Proofs, party: Party) -> None:
        self._db = db
        self._keyring = keyring
        self._post = post
        self._proofs = proofs
        self._party = party

    async def BeginPasskeyRegistration(
        self, request: passkeys_pb2.BeginPasskeyRegistrationRequest, context: Context
    ) -> passkeys_pb2.PasskeyOptions:
        """The challenge in it is the proof at CreatePasskey."""
        caller = call.current().caller
        member_id, login_id = signed_in(caller)
        proven = await self._proofs.prove(member_id, login_id, given(request.proof))
        async with self._db.transaction(caller.scope) as tx:
            await self._proofs.use(tx, member_id, proven)
            options = await passkeys.registration(tx, self._keyring, self._party, member_id)
        return convert.passkey_options(options)

    async def CreatePasskey(
        self, request: passkeys_pb2.CreatePasskeyRequest, context: Context
    ) -> passkeys_pb2.Passkey:
        """The authenticator's answer is good once; a repetition under the same request_id is answered."""
        caller = call.current().caller
        member_id, _ = signed_in(caller)
        credential = credential_of(request.credential, passkeys.invalid())

        async def work(tx: Transaction) -> passkeys_pb2.Passkey:
            made = await passkeys.register(
                tx, self._keyring, self._post, self._party, member_id, credential, request.display_name
            )
            return convert.passkey(made)

        return await once(self._db, caller.scope, request, work)

    async def ListPasskeys(
        self, request: passkeys_pb2.ListPasskeysRequest, context: Context
    ) -> passkeys_pb2.ListPasskeysResponse:
        """The caller's own."""
        caller = call.current().caller
        member_id, _ = signed_in(caller)
        page = Page.of(request)
        async with self._db.snapshot(caller.scope) as snapshot:
            rows = await passkeys.oldest(
                snapshot, self._keyring, member_id, page.after(time_and_id), page.size + 1
            )
        items, token = page.cut(
            rows, key=lambda each: (each.passkey.create_time.isoformat(), str(each.passkey.id))
        )
        return passkeys_pb2.ListPasskeysResponse(passkeys=map(convert.passkey, items), next_page_token=token)

    async def RemovePasskey(self, request: passkeys_pb2.RemovePasskeyRequest, context: Context) -> Empty:
        """It signs nobody in from then on; logins that it opened go on."""
        caller = call.current().caller
        member_id, login_id = signed_in(caller)
        proven = await self._proofs.prove(member_id, login_id, given(request.proof))

        async def work(tx: Transaction) -> Empty:
            await self._proofs.use(tx, member_id, proven)
            await passkeys.remove(tx, self._keyring, self._post, member_id, UUID(request.passkey_id))
            return Empty()

        return await once(self._db, caller.scope, request, work)

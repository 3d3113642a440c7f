"""wrtn.identity.v1 AuthService."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import grpc
from google.protobuf.empty_pb2 import Empty

from chassis import call
from chassis.access.principals import Principals
from chassis.database import Database, Transaction
from chassis.idempotency import once
from services.identity import convert
from services.identity.credentials import credentials
from services.identity.credentials.signing import Signer
from services.identity.credentials.standings import Standings
from services.identity.credentials.uses import LastUses
from services.identity.factors.passkeys import refused
from services.identity.logins import logins
from services.identity.logins.logins import Origin
from services.identity.models import LoginMethod
from services.identity.rpc.callers import credential_of, signed_in
from services.identity.sign_in.signing_in import Credentials, SecondFactor, SignIns
from wrtn.identity.v1 import auth_pb2
from wrtn.identity.v1.auth_pb2_grpc import AuthServiceServicer
from wrtn.identity.v1.passkeys_pb2 import PasskeyOptions

_METHODS = {
    "totp_code": LoginMethod.TOTP,
    "recovery_code": LoginMethod.RECOVERY_CODE,
    "passkey": LoginMethod.PASSKEY,
}

Context = grpc.aio.ServicerContext[Any, Any]


class AuthRpc(AuthServiceServicer):
    """wrtn.identity.v1 AuthService."""

    def __init__(
        self,
        db: Database,
        sign_ins: SignIns,
        signer: Signer,
        cache: Principals,
        uses: LastUses,
        standings: Standings,
    ) -> None:
        self._db = db
        self._sign_ins = sign_ins
        self._signer = signer
        self._cache = cache
        self._uses = uses
        self._standings = standings

    async def SignIn(self, request: auth_pb2.SignInRequest, context: Context) -> auth_pb2.TokenPair:
        """Repeating it opens another login: an answer with tokens is not kept to be given again."""
        given = Credentials(request.email, request.password, request.device_token)
        return convert.token_pair(await self._sign_ins.sign_in(given, Origin.current()))

    async def CompleteSignIn(
        self, request: auth_pb2.CompleteSignInRequest, context: Context
    ) -> auth_pb2.TokenPair:
        """A challenge is good once; after a wrong code it still waits."""
        factor = request.WhichOneof("factor") or ""
        given = SecondFactor(
            request.challenge,
            _METHODS[factor],
            request.totp_code or request.recovery_code,
            credential_of(request.passkey, refused()) if factor == "passkey" else None,
            request.device_token,
        )
        return convert.token_pair(await self._sign_ins.complete(given, Origin.current()))

    async def BeginPasskeySignIn(
        self, request: auth_pb2.BeginPasskeySignInRequest, context: Context
    ) -> PasskeyOptions:
        """Writes nothing."""
        return convert.passkey_options(self._sign_ins.passkey_options())

    async def SignInWithPasskey(
        self, request: auth_pb2.SignInWithPasskeyRequest, context: Context
    ) -> auth_pb2.TokenPair:
        """An assertion is good once."""
        credential = credential_of(request.credential, refused())
        return convert.token_pair(
            await self._sign_ins.sign_in_with_passkey(credential, request.device_token, Origin.current())
        )

    async def RefreshToken(
        self, request: auth_pb2.RefreshTokenRequest, context: Context
    ) -> auth_pb2.TokenPair:
        """Repeating it with the same token ends the login, but for a retry under the same key."""
        account_id = UUID(request.account_id) if request.account_id else None
        key = request.request_id or call.current().idempotency_key
        return convert.token_pair(
            await self._sign_ins.refresh(request.refresh_token, account_id, key, Origin.current())
        )

    async def SignOut(self, request: auth_pb2.SignOutRequest, context: Context) -> Empty:
        """Ends the login of the token; this process knows at once, the others by the event."""
        caller = call.current().caller
        member_id, login_id = signed_in(caller)

        async def work(tx: Transaction) -> Empty:
            await logins.sign_out(tx, member_id, login_id)
            tx.after_commit(lambda: self._cache.drop([login_id]))
            return Empty()

        return await once(self._db, caller.scope, request, work)

    async def IssueServiceToken(
        self, request: auth_pb2.IssueServiceTokenRequest, context: Context
    ) -> auth_pb2.IssueServiceTokenResponse:
        """Changes nothing: tokens are not kept."""
        access_token, expire_time = await credentials.issue_token(
            self._db,
            self._signer,
            self._uses,
            self._standings,
            UUID(request.credential_id),
            request.secret,
        )
        return auth_pb2.IssueServiceTokenResponse(
            access_token=access_token, access_expire_time=convert.timestamp(expire_time)
        )

    async def GetJwks(self, request: auth_pb2.GetJwksRequest, context: Context) -> auth_pb2.Jwks:
        """Answers from memory."""
        return await self._signer.jwks()

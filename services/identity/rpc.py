"""The servicers: request, one call, response."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import grpc
from google.protobuf.empty_pb2 import Empty

from chassis import call
from chassis.access.principals import Principals
from chassis.clock import Clock
from chassis.crypto import Keyring
from chassis.database import Database, Scope, Transaction
from chassis.idempotency import once
from chassis.paging import Page, PageTokenInvalid
from services.identity import accounts, addresses, bearers, convert, credentials, logins, members, principals
from services.identity.accounts import Opening
from services.identity.logins import SignIns
from services.identity.models import AccountKind
from services.identity.passwords import Passwords
from services.identity.post import Post
from services.identity.signing import Signer
from services.identity.store import Accounts, Credentials
from wrtn.identity.v1 import accounts_pb2, auth_pb2, credentials_pb2, members_pb2
from wrtn.identity.v1.accounts_pb2_grpc import AccountServiceServicer
from wrtn.identity.v1.auth_pb2_grpc import AuthServiceServicer
from wrtn.identity.v1.credentials_pb2_grpc import CredentialServiceServicer
from wrtn.identity.v1.members_pb2_grpc import MemberServiceServicer
from wrtn.identity.v1.principals_pb2 import Principal, ResolvePrincipalRequest
from wrtn.identity.v1.principals_pb2_grpc import PrincipalServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]

_RANKS = ("0", "1")
"""The place of personal and of enterprise accounts in a list of accounts."""


class MemberRpc(MemberServiceServicer):
    """wrtn.identity.v1 MemberService."""

    def __init__(
        self, clock: Clock, db: Database, keyring: Keyring, passwords: Passwords, post: Post
    ) -> None:
        self._clock = clock
        self._db = db
        self._keyring = keyring
        self._passwords = passwords
        self._post = post

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
        """Members see themselves alone, with their addresses; staff see every member, without."""
        caller = call.current().caller
        wanted = caller.member_id if request.member_id == "me" else UUID(request.member_id)
        if wanted is None or (wanted != caller.member_id and not caller.staff):
            raise members.not_found()
        async with self._db.snapshot(Scope.of(member_id=wanted)) as snapshot:
            member = await members.get(snapshot, wanted)
            own = wanted == caller.member_id
            return convert.member(await members.profile(snapshot, self._keyring, member, emails=own))


class AuthRpc(AuthServiceServicer):
    """wrtn.identity.v1 AuthService."""

    def __init__(self, db: Database, sign_ins: SignIns, signer: Signer, cache: Principals) -> None:
        self._db = db
        self._sign_ins = sign_ins
        self._signer = signer
        self._cache = cache

    async def SignIn(self, request: auth_pb2.SignInRequest, context: Context) -> auth_pb2.TokenPair:
        """Repeating it opens another login: an answer with tokens is not kept to be given again."""
        return convert.token_pair(await self._sign_ins.sign_in(request.email, request.password))

    async def RefreshToken(
        self, request: auth_pb2.RefreshTokenRequest, context: Context
    ) -> auth_pb2.TokenPair:
        """Repeating it with the same token ends the login."""
        account_id = UUID(request.account_id) if request.account_id else None
        return convert.token_pair(await self._sign_ins.refresh(request.refresh_token, account_id))

    async def SignOut(self, request: auth_pb2.SignOutRequest, context: Context) -> Empty:
        """Ends the login of the token; this process knows at once, the others by the event."""
        caller = call.current().caller
        member_id, login_id = _signed_in(caller)

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
            self._db, self._signer, UUID(request.credential_id), request.secret
        )
        return auth_pb2.IssueServiceTokenResponse(
            access_token=access_token, access_expire_time=convert.timestamp(expire_time)
        )

    async def GetJwks(self, request: auth_pb2.GetJwksRequest, context: Context) -> auth_pb2.Jwks:
        """Answers from memory."""
        return await self._signer.jwks()


class AccountRpc(AccountServiceServicer):
    """wrtn.identity.v1 AccountService."""

    def __init__(self, db: Database, keyring: Keyring) -> None:
        self._db = db
        self._keyring = keyring

    async def ListAccounts(
        self, request: accounts_pb2.ListAccountsRequest, context: Context
    ) -> accounts_pb2.ListAccountsResponse:
        """The accounts of the member, in every tenant."""
        page = Page.of(request)
        member_id, _ = _signed_in(call.current().caller)
        after = _account_key(page.cursor)
        async with self._db.snapshot(Scope.of(member_id=member_id)) as snapshot:
            rows = await Accounts(snapshot).list_held(member_id, after, page.size + 1)
        found, token = page.cut(
            rows,
            key=lambda row: (
                _RANKS[row.kind != AccountKind.PERSONAL],
                row.create_time.isoformat(),
                str(row.id),
            ),
        )
        return accounts_pb2.ListAccountsResponse(accounts=map(convert.account, found), next_page_token=token)

    async def GetAccount(
        self, request: accounts_pb2.GetAccountRequest, context: Context
    ) -> accounts_pb2.Account:
        """An account that another holds is not known to exist."""
        member_id, _ = _signed_in(call.current().caller)
        async with self._db.snapshot(Scope.of(member_id=member_id)) as snapshot:
            return convert.account(await accounts.get_held(snapshot, member_id, UUID(request.account_id)))

    async def OpenAccount(
        self, request: accounts_pb2.OpenAccountRequest, context: Context
    ) -> accounts_pb2.Account:
        """Enterprise asks; the event of the employment asks the same again."""
        opening = Opening(UUID(request.account_id), UUID(request.enterprise_id), UUID(request.member_id))

        async def work(tx: Transaction) -> accounts_pb2.Account:
            name = await members.name_of(tx, self._keyring, opening.member_id)
            return convert.account(await accounts.open_for_employee(tx, opening, name))

        scope = Scope.of(opening.enterprise_id, member_id=opening.member_id)
        return await once(self._db, scope, request, work)


class CredentialRpc(CredentialServiceServicer):
    """wrtn.identity.v1 CredentialService. The access rule has proven an owner of the enterprise."""

    def __init__(self, db: Database, cache: Principals) -> None:
        self._db = db
        self._cache = cache

    async def CreateServiceCredential(
        self, request: credentials_pb2.CreateServiceCredentialRequest, context: Context
    ) -> credentials_pb2.CreateServiceCredentialResponse:
        """The secret is in this answer alone."""
        tenant_id = UUID(request.enterprise_id)

        async def work(tx: Transaction) -> credentials_pb2.CreateServiceCredentialResponse:
            made, secret = await credentials.create(tx, tenant_id, request.display_name, request.scopes)
            return credentials_pb2.CreateServiceCredentialResponse(
                credential=convert.credential(made), secret=secret
            )

        return await once(self._db, Scope.of(tenant_id), request, work)

    async def ListServiceCredentials(
        self, request: credentials_pb2.ListServiceCredentialsRequest, context: Context
    ) -> credentials_pb2.ListServiceCredentialsResponse:
        """The credentials of the enterprise."""
        page = Page.of(request)
        tenant_id = UUID(request.enterprise_id)
        before = _time_and_id(page.cursor)
        async with self._db.snapshot(Scope.of(tenant_id)) as snapshot:
            rows = await Credentials(snapshot, tenant_id).newest(before, page.size + 1)
        found, token = page.cut(rows, key=lambda row: (row.create_time.isoformat(), str(row.id)))
        return credentials_pb2.ListServiceCredentialsResponse(
            service_credentials=map(convert.credential, found), next_page_token=token
        )

    async def RevokeServiceCredential(
        self, request: credentials_pb2.RevokeServiceCredentialRequest, context: Context
    ) -> credentials_pb2.ServiceCredential:
        """This process knows at once, the others by the event."""
        tenant_id, credential_id = UUID(request.enterprise_id), UUID(request.credential_id)

        async def work(tx: Transaction) -> credentials_pb2.ServiceCredential:
            revoked = await credentials.revoke(tx, tenant_id, credential_id)
            tx.after_commit(lambda: self._cache.drop([credential_id]))
            return convert.credential(revoked)

        return await once(self._db, Scope.of(tenant_id), request, work)


class PrincipalRpc(PrincipalServiceServicer):
    """wrtn.identity.v1 PrincipalService."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def ResolvePrincipal(self, request: ResolvePrincipalRequest, context: Context) -> Principal:
        """Never an error for a principal that may not act."""
        return await principals.resolve(self._db, request)


def _signed_in(caller: call.Caller) -> tuple[UUID, UUID]:
    """Answers member and login of a caller whom the access rule has proven to be a member."""
    if caller.member_id is None or caller.login_id is None:
        raise TypeError("the access rule of this method admits members alone")
    return caller.member_id, caller.login_id


def _account_key(cursor: tuple[str, ...] | None) -> tuple[int, datetime, UUID] | None:
    """Reads the key of the last account of the page before: rank, time, id."""
    if cursor is None:
        return None
    rest = _time_and_id(cursor[1:])
    if rest is None or cursor[0] not in _RANKS:
        raise PageTokenInvalid
    return _RANKS.index(cursor[0]), *rest


def _time_and_id(cursor: tuple[str, ...] | None) -> tuple[datetime, UUID] | None:
    """Reads a time and an id; raises PageTokenInvalid for a token that we did not make."""
    if cursor is None:
        return None
    try:
        create_time, row_id = cursor
        return datetime.fromisoformat(create_time), UUID(row_id)
    except ValueError as error:
        raise PageTokenInvalid from error

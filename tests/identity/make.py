"""Factories for tests of identity: members, employees and staff, and what the tables say of them."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import grpc
import nats
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import ErrorInfo
from grpc_status import rpc_status
from sqlalchemy import text

from chassis.clock import Clock
from chassis.database import Scope
from chassis.events import envelope
from chassis.events.streams import ensure_stream
from chassis.testing.callers import Metadata
from services.identity import bearers
from services.identity.members import members
from services.identity.members.members import Person
from services.identity.models import PLATFORM
from services.identity.staff.staff import appoint
from tests.identity.service import CHEAP, Identity
from tests.identity.smtp_server import code_in
from wrtn.access.v1.access_pb2 import StaffRight, Title
from wrtn.identity.v1 import accounts_pb2, auth_pb2, events_pb2, members_pb2

PASSWORD = "seven purple giraffes"
_numbers = itertools.count(1)


@dataclass(frozen=True)
class SignedIn:
    """A member with a login."""

    email: str
    pair: auth_pb2.TokenPair

    @property
    def member_id(self) -> str:
        """The member."""
        return self.pair.member_id

    @property
    def account_id(self) -> str:
        """The acting account."""
        return self.pair.account_id

    @property
    def metadata(self) -> Metadata:
        """The authorization metadata."""
        return bearer(self.pair.access_token)


def bearer(token: str) -> Metadata:
    """Answers the metadata that carries a token."""
    return (("authorization", f"Bearer {token}"),)


def fresh_email(domain: str = "example.com") -> str:
    """Answers an address that no other test uses."""
    return f"member-{next(_numbers)}@{domain}"


def fresh_id() -> str:
    """Answers an id that nothing has yet."""
    return str(Clock().new_id())


def encoded(part: Mapping[str, object]) -> str:
    """Encodes the header or the claims of a token."""
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


async def register(
    identity: Identity,
    email: str,
    *,
    password: str = PASSWORD,
    display_name: str = "Mina Park",
    request_id: str = "",
    **more: str,
) -> members_pb2.RegisterMemberResponse:
    """Registers a member."""
    request = members_pb2.RegisterMemberRequest(
        email=email, password=password, display_name=display_name, request_id=request_id, **more
    )
    return await identity.members.RegisterMember(request)


async def verify(identity: Identity, token: str) -> members_pb2.Member:
    """Verifies an address."""
    return await identity.members.VerifyEmail(members_pb2.VerifyEmailRequest(token=token))


def client(address: str = "203.0.113.7", device: str = "Firefox on Linux") -> Metadata:
    """Answers what the gateway says of its client."""
    return (("x-forwarded-for", address), ("x-user-agent", device))


async def sign_in(
    identity: Identity,
    email: str,
    password: str = PASSWORD,
    metadata: Metadata = (),
    device_token: str = "",
) -> SignedIn:
    """Signs a member in."""
    request = auth_pb2.SignInRequest(email=email, password=password, device_token=device_token)
    pair = await identity.auth.SignIn(request, metadata=metadata)
    return SignedIn(email, pair)


async def member(
    identity: Identity, email: str = "", *, password: str = PASSWORD, display_name: str = "Mina Park"
) -> SignedIn:
    """Makes a member whose address counts as verified, at once and without a mail, and signs them in."""
    runtime, email = identity.running.runtime, email or fresh_email()
    account_id = runtime.clock.new_id()
    person = Person(runtime.clock.new_id(), email, display_name, CHEAP.hash(password))
    async with runtime.db.transaction(Scope.of(account_id, member_id=person.id)) as tx:
        assert await members.add_verified(tx, runtime.keyring, person, account_id)
    return await sign_in(identity, email, password)


async def registered(
    identity: Identity, email: str = "", *, password: str = PASSWORD, display_name: str = "Mina Park"
) -> SignedIn:
    """Registers a member, verifies the address by the mail, and signs them in."""
    email = email or fresh_email()
    await register(identity, email, password=password, display_name=display_name)
    await verify(identity, code_in(await identity.mailbox.wait_for(email)))
    return await sign_in(identity, email, password)


async def pending(identity: Identity) -> str:
    """Makes a member whose address is not verified; answers their id, which stands in the token."""
    email = fresh_email()
    await register(identity, email, display_name="Pending")
    token = code_in(await identity.mailbox.wait_for(email))
    return str(bearers.owner_of(bearers.VERIFICATION, token))


async def works(identity: Identity, member: SignedIn) -> bool:
    """Says whether the member's access token is accepted."""
    request = members_pb2.GetMemberRequest(member_id="me")
    try:
        await identity.members.GetMember(request, metadata=member.metadata)
    except grpc.aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.UNAUTHENTICATED:
            return False
        raise
    return True


async def refresh(
    identity: Identity, token: str, account_id: str = "", *, request_id: str = "", metadata: Metadata = ()
) -> auth_pb2.TokenPair:
    """Exchanges a refresh token."""
    request = auth_pb2.RefreshTokenRequest(refresh_token=token, account_id=account_id, request_id=request_id)
    return await identity.auth.RefreshToken(request, metadata=metadata)


async def open_account(
    identity: Identity, member_id: str, *, enterprise_id: str = "", account_id: str = ""
) -> accounts_pb2.Account:
    """Opens the account of an employee, as enterprise does."""
    clock = Clock()
    request = accounts_pb2.OpenAccountRequest(
        account_id=account_id or str(clock.new_id()),
        enterprise_id=enterprise_id or str(clock.new_id()),
        member_id=member_id,
    )
    return await identity.accounts.OpenAccount(request, metadata=identity.peer())


async def owner(identity: Identity) -> tuple[str, SignedIn]:
    """Makes an enterprise's owner, acting by its account; answers the enterprise too."""
    signed_in = await member(identity)
    account = await open_account(identity, signed_in.member_id)
    identity.titles[account.tenant_id, account.id] = Title.TITLE_OWNER
    pair = await refresh(identity, signed_in.pair.refresh_token, account.id)
    return account.tenant_id, SignedIn(signed_in.email, pair)


async def staff(
    identity: Identity, right: StaffRight.ValueType = StaffRight.STAFF_RIGHT_MODERATOR
) -> SignedIn:
    """Makes a member with a right as staff, and signs them in."""
    return await sign_in(identity, (await appointed(identity, right)).email)


async def appointed(
    identity: Identity, right: StaffRight.ValueType = StaffRight.STAFF_RIGHT_ADMINISTRATOR
) -> SignedIn:
    """Makes a member of staff, as the command line does."""
    signed_in = await member(identity)
    member_id, runtime = UUID(signed_in.member_id), identity.running.runtime
    async with runtime.db.transaction(Scope.of(PLATFORM, member_id=member_id)) as tx:
        await appoint(tx, runtime.keyring, member_id, right, None)
    runtime.principals.drop([member_id])
    return signed_in


_EVENTS: Mapping[str, type[Message]] = {
    "member.activated": events_pb2.MemberActivated,
    "member.suspended": events_pb2.MemberSuspended,
    "member.reinstated": events_pb2.MemberReinstated,
    "member.closed": events_pb2.MemberClosed,
    "member.erased": events_pb2.MemberErased,
    "email.verified": events_pb2.EmailVerified,
    "email.removed": events_pb2.EmailRemoved,
    "account.opened": events_pb2.AccountOpened,
    "account.code_changed": events_pb2.AccountCodeChanged,
    "account.transfer_offered": events_pb2.AccountTransferOffered,
    "account.transfer_ended": events_pb2.AccountTransferEnded,
    "account.transferred": events_pb2.AccountTransferred,
    "break_glass.opened": events_pb2.BreakGlassOpened,
    "login.ended": events_pb2.LoginEnded,
    "staff.appointed": events_pb2.StaffAppointed,
    "api_key.revoked": events_pb2.ApiKeyRevoked,
    "credential.revoked": events_pb2.ServiceCredentialRevoked,
    "sign_in_policy.changed": events_pb2.SignInPolicyChanged,
}


async def published(identity: Identity, fact: str, about: str) -> list[Any]:
    """Answers the events of this kind in the outbox that name this id."""
    query = text("SELECT payload FROM wrtn_outbox WHERE subject = :subject ORDER BY id")
    async with identity.database.worker.snapshot(Scope()) as snapshot:
        rows = await snapshot.session.execute(query, {"subject": f"wrtn.identity.v1.{fact}"})
        events = [_EVENTS[fact].FromString(payload) for (payload,) in rows]
    return [each for each in events if about in [value for _, value in each.ListFields()]]


async def publish(
    identity: Identity, event: Message, tenant_id: UUID | None, aggregate_id: UUID, times: int = 1
) -> None:
    """Publishes an event of another service as its relay would; more than once as after a resend."""
    client = await nats.connect(identity.running.runtime.settings.nats_url)
    try:
        event_id, subject = Clock().new_id(), envelope.subject_of(type(event))
        await ensure_stream(client.jetstream(), subject.split(".")[1])
        for number in range(times):
            headers = envelope.headers(
                event_id, tenant_id, subject, aggregate_id, 1, None, Clock().now(), f"{number}"
            )
            await client.jetstream().publish(subject, event.SerializeToString(), headers=headers)
    finally:
        await client.close()


async def audited(identity: Identity, tenant_id: str) -> list[tuple[Any, ...]]:
    """Answers action and acting member of each audit entry of a tenant, or of a member, as they came."""
    query = "SELECT action, member_id FROM wrtn_audit_entries WHERE tenant_id = '{}' ORDER BY create_time, id"
    return await as_superuser(identity, query.format(tenant_id))


async def rows(
    identity: Identity, query: str, member_id: str = "", *, tenants: tuple[str, ...] = ()
) -> list[Any]:
    """Answers what the app role sees in this scope."""
    scope = Scope.of(*map(UUID, tenants), member_id=UUID(member_id) if member_id else None)
    async with identity.database.app.snapshot(scope) as snapshot:
        return list((await snapshot.session.execute(text(query))).all())


async def as_worker(identity: Identity, query: str) -> list[Any]:
    """Answers what the worker role sees."""
    async with identity.database.worker.snapshot(Scope()) as snapshot:
        return list((await snapshot.session.execute(text(query))).all())


async def as_superuser(identity: Identity, query: str) -> list[tuple[Any, ...]]:
    """Runs a statement with row level security out of the way."""
    cursor = await (await identity.superuser()).execute(query.encode())
    return await cursor.fetchall() if cursor.description else []


async def key_set(identity: Identity) -> auth_pb2.Jwks:
    """Answers the public keys."""
    return await identity.auth.GetJwks(auth_pb2.GetJwksRequest())


async def jwks(identity: Identity) -> list[str]:
    """Answers the ids of the public keys."""
    return [each.kid for each in (await key_set(identity)).keys]


def info(error: grpc.aio.AioRpcError) -> ErrorInfo:
    """Answers the ErrorInfo of a refusal, an empty one if it has none."""
    found = ErrorInfo()
    status = rpc_status.from_call(error)
    for detail in status.details if status else ():
        if detail.Unpack(found):
            break
    return found


def reason(error: grpc.aio.AioRpcError) -> str:
    """Answers the ErrorInfo reason of a refusal."""
    return str(info(error).reason)

"""The identity of these tests: a real gRPC server that answers what enterprise asks of identity."""
# ruff: noqa: N802 - gRPC methods are named as in the proto

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import grpc
from grpc_status import rpc_status
from joserfc.jwk import OKPKey

from chassis.auth import api_keys, keys, tokens
from chassis.auth.tokens import AccessToken
from chassis.clock import Clock
from chassis.errors import FailedPrecondition, to_status
from wrtn.access.v1.access_pb2 import StaffRight
from wrtn.identity.v1.accounts_pb2 import Account, OpenAccountRequest
from wrtn.identity.v1.accounts_pb2_grpc import AccountServiceServicer, add_AccountServiceServicer_to_server
from wrtn.identity.v1.addresses_pb2 import (
    FindOwnersRequest,
    FindOwnersResponse,
    ListVerifiedAddressesRequest,
    ListVerifiedAddressesResponse,
)
from wrtn.identity.v1.addresses_pb2_grpc import (
    AddressServiceServicer,
    add_AddressServiceServicer_to_server,
)
from wrtn.identity.v1.auth_pb2 import GetJwksRequest, Jwks
from wrtn.identity.v1.auth_pb2_grpc import AuthServiceServicer, add_AuthServiceServicer_to_server
from wrtn.identity.v1.mails_pb2 import SendMailRequest, SendMailResponse
from wrtn.identity.v1.mails_pb2_grpc import MailServiceServicer, add_MailServiceServicer_to_server
from wrtn.identity.v1.principals_pb2 import Principal, ResolvePrincipalRequest
from wrtn.identity.v1.principals_pb2_grpc import (
    PrincipalServiceServicer,
    add_PrincipalServiceServicer_to_server,
)
from wrtn.identity.v1.provisioning_pb2 import ProvisionMemberRequest, ProvisionMemberResponse
from wrtn.identity.v1.provisioning_pb2_grpc import (
    ProvisioningServiceServicer,
    add_ProvisioningServiceServicer_to_server,
)
from wrtn.identity.v1.transfers_pb2 import AccountTransfer, TransferAccountRequest
from wrtn.identity.v1.transfers_pb2_grpc import TransferServiceServicer, add_TransferServiceServicer_to_server

KID = "test-1"

Context = grpc.aio.ServicerContext[Any, Any]
Metadata = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Person:
    """A member with one login and a personal account."""

    member_id: UUID
    login_id: UUID
    account_id: UUID


@dataclass
class Identity(
    PrincipalServiceServicer,
    AccountServiceServicer,
    AuthServiceServicer,
    AddressServiceServicer,
    TransferServiceServicer,
    MailServiceServicer,
    ProvisioningServiceServicer,
):
    """Knows members, logins and accounts, and signs tokens. `opening_fails` and `away` make calls fail."""

    clock: Clock
    key: OKPKey = field(default_factory=lambda: OKPKey.generate_key("Ed25519"))
    active: set[str] = field(default_factory=set)
    logins: set[str] = field(default_factory=set)
    accounts: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Of each account the tenant and the holder."""
    addresses: dict[str, list[str]] = field(default_factory=dict)
    """Of each member the verified addresses."""
    staff: dict[str, StaffRight.ValueType] = field(default_factory=dict)
    """The rights of members of staff."""
    opened: list[str] = field(default_factory=list)
    """The account of each OpenAccount, repetitions included."""
    transfers: dict[str, TransferAccountRequest] = field(default_factory=dict)
    """Each transfer by its id."""
    mails: dict[str, SendMailRequest] = field(default_factory=dict)
    """Each mail by the id of its request."""
    keys: dict[bytes, Principal] = field(default_factory=dict)
    """Of each API key of an enterprise, by its hash, what it may do."""
    mailing_fails: bool = False
    opening_fails: bool = False
    transferring_fails: bool = False
    away: bool = False
    opening_hangs: bool = False

    def forget(self) -> None:
        """Forgets addresses, staff, keys and what was asked of it, and answers again."""
        for known in (self.addresses, self.staff, self.keys, self.opened, self.mails):
            known.clear()
        self.mailing_fails = self.opening_fails = self.transferring_fails = False
        self.away = self.opening_hangs = False

    def join(self) -> Person:
        """Makes an active member, signed in."""
        person = Person(self.clock.new_id(), self.clock.new_id(), self.clock.new_id())
        self.active.add(str(person.member_id))
        self.logins.add(str(person.login_id))
        self.accounts[str(person.account_id)] = (str(person.account_id), str(person.member_id))
        return person

    def token(self, person: Person, account_id: UUID | None = None) -> Metadata:
        """Answers the metadata of calls by this person, acting with the account, else with their own."""
        token = AccessToken(person.member_id, person.login_id, account_id or person.account_id)
        return (("authorization", f"Bearer {tokens.issue(token, self.key, KID, self.clock)}"),)

    def enterprise_key(self, enterprise_id: str, *scopes: str) -> str:
        """Makes an API key of an enterprise."""
        text = api_keys.of_enterprise(self.clock.new_id(), self.clock)
        parsed = api_keys.parsed(text)
        assert parsed is not None
        self.keys[parsed.key_hash] = Principal(active=True, tenant_id=enterprise_id, scopes=scopes)
        return text

    async def ResolvePrincipal(self, request: ResolvePrincipalRequest, context: Context) -> Principal:
        """Answers as the contract says, or is away."""
        if self.away:
            await context.abort(grpc.StatusCode.UNAVAILABLE)
        if request.HasField("api_key"):
            return self.keys.get(request.api_key.key_hash, Principal())
        asked = request.member
        if asked.member_id not in self.active:
            return Principal()
        if asked.login_id and asked.login_id not in self.logins:
            return Principal()
        if not asked.account_id:
            return Principal(active=True)
        tenant_id, holder = self.accounts.get(asked.account_id, ("", ""))
        return Principal(
            active=holder == asked.member_id,
            tenant_id=tenant_id,
            staff_right=self.staff.get(asked.member_id, StaffRight.STAFF_RIGHT_UNSPECIFIED),
        )

    async def OpenAccount(self, request: OpenAccountRequest, context: Context) -> Account:
        """Opens the account, or is away, or never answers."""
        if self.opening_fails:
            await context.abort(grpc.StatusCode.UNAVAILABLE)
        if self.opening_hangs:
            await asyncio.Event().wait()
        self.opened.append(request.account_id)
        self.accounts[request.account_id] = (request.enterprise_id, request.member_id)
        return Account(id=request.account_id, tenant_id=request.enterprise_id)

    async def TransferAccount(self, request: TransferAccountRequest, context: Context) -> AccountTransfer:
        """Gives the account to the receiver, once, or is away."""
        if self.transferring_fails:
            await context.abort(grpc.StatusCode.UNAVAILABLE)
        if request.transfer_id not in self.transfers:
            if self.accounts[request.account_id][1] != request.holder_member_id:
                held = FailedPrecondition("Another holds it.")
                held.reason = "ACCOUNT_HELD_BY_ANOTHER"  # type: ignore[misc]
                await context.abort_with_status(rpc_status.to_status(to_status(held)))
            self.transfers[request.transfer_id] = request
            self.accounts[request.account_id] = (request.enterprise_id, request.receiver_member_id)
        return AccountTransfer()

    async def ListVerifiedAddresses(
        self, request: ListVerifiedAddressesRequest, context: Context
    ) -> ListVerifiedAddressesResponse:
        """Answers the addresses of an active member, or is away."""
        if self.away:
            await context.abort(grpc.StatusCode.UNAVAILABLE)
        known = self.addresses.get(request.member_id, []) if request.member_id in self.active else []
        return ListVerifiedAddressesResponse(addresses=known)

    async def ProvisionMember(
        self, request: ProvisionMemberRequest, context: Context
    ) -> ProvisionMemberResponse:
        """Answers who has the address, or makes them; fails if they are not active."""
        if self.away:
            await context.abort(grpc.StatusCode.UNAVAILABLE)
        for member_id, known in self.addresses.items():
            if request.email.casefold() in (each.casefold() for each in known):
                if member_id not in self.active:
                    held = FailedPrecondition("Not active.")
                    held.reason = "MEMBER_NOT_ACTIVE"  # type: ignore[misc]
                    await context.abort_with_status(rpc_status.to_status(to_status(held)))
                return ProvisionMemberResponse(member_id=member_id)
        person = self.join()
        self.addresses[str(person.member_id)] = [request.email]
        return ProvisionMemberResponse(member_id=str(person.member_id), created=True)

    async def FindOwners(self, request: FindOwnersRequest, context: Context) -> FindOwnersResponse:
        """Answers who has the addresses."""
        if self.away:
            await context.abort(grpc.StatusCode.UNAVAILABLE)
        owners = {each: member for member, known in self.addresses.items() for each in known}
        return FindOwnersResponse(member_ids=[owners.get(each, "") for each in request.addresses])

    async def SendMail(self, request: SendMailRequest, context: Context) -> SendMailResponse:
        """Takes the mail, or is away."""
        if self.mailing_fails:
            await context.abort(grpc.StatusCode.UNAVAILABLE)
        self.mails[request.request_id] = request
        return SendMailResponse(mail_id=request.request_id)

    async def GetJwks(self, request: GetJwksRequest, context: Context) -> Jwks:
        """Publishes the key."""
        return keys.published({KID: self.key})


@asynccontextmanager
async def serving(identity: Identity) -> AsyncIterator[str]:
    """Serves it on a free port of the loopback; answers the address."""
    server = grpc.aio.server()
    add_PrincipalServiceServicer_to_server(identity, server)
    add_AccountServiceServicer_to_server(identity, server)
    add_AuthServiceServicer_to_server(identity, server)
    add_AddressServiceServicer_to_server(identity, server)
    add_TransferServiceServicer_to_server(identity, server)
    add_MailServiceServicer_to_server(identity, server)
    add_ProvisioningServiceServicer_to_server(identity, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)

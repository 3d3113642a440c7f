"""Identity over real servers, as its clients see it."""

from __future__ import annotations

import base64
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import psycopg
from argon2 import PasswordHasher

from chassis import service
from chassis.clock import Clock
from chassis.database.roles import conninfo
from chassis.embedded.nats import Nats
from chassis.service import Parts, Running, Runtime
from chassis.testing.callers import Callers, Metadata
from chassis.testing.databases import ServiceDatabase
from services.identity import main
from services.identity.settings import IdentitySettings
from services.identity.sign_in.passwords import Passwords
from tests.identity.smtp_server import Mailbox
from wrtn.access.v1.access_pb2 import Duty, Title
from wrtn.enterprise.v1.access_pb2 import Access, ResolveAccessRequest
from wrtn.identity.v1.accounts_pb2_grpc import AccountServiceStub
from wrtn.identity.v1.api_keys_pb2_grpc import ApiKeyServiceStub
from wrtn.identity.v1.auth_pb2_grpc import AuthServiceStub
from wrtn.identity.v1.avatars_pb2_grpc import AvatarServiceStub
from wrtn.identity.v1.break_glass_pb2_grpc import BreakGlassServiceStub
from wrtn.identity.v1.credentials_pb2_grpc import CredentialServiceStub
from wrtn.identity.v1.emails_pb2_grpc import EmailServiceStub
from wrtn.identity.v1.federation_pb2_grpc import FederationServiceStub
from wrtn.identity.v1.logins_pb2_grpc import LoginServiceStub
from wrtn.identity.v1.mails_pb2_grpc import MailServiceStub
from wrtn.identity.v1.members_pb2_grpc import MemberServiceStub
from wrtn.identity.v1.passkeys_pb2_grpc import PasskeyServiceStub
from wrtn.identity.v1.passwords_pb2_grpc import PasswordServiceStub
from wrtn.identity.v1.policies_pb2_grpc import PolicyServiceStub
from wrtn.identity.v1.principals_pb2_grpc import PrincipalServiceStub
from wrtn.identity.v1.second_factors_pb2_grpc import SecondFactorServiceStub
from wrtn.identity.v1.single_sign_on_pb2_grpc import SingleSignOnServiceStub
from wrtn.identity.v1.staff_pb2_grpc import StaffServiceStub
from wrtn.identity.v1.suspensions_pb2_grpc import SuspensionServiceStub
from wrtn.identity.v1.transfers_pb2_grpc import TransferServiceStub

if TYPE_CHECKING:
    from wrtn.identity.v1.accounts_pb2_grpc import AccountServiceAsyncStub
    from wrtn.identity.v1.api_keys_pb2_grpc import ApiKeyServiceAsyncStub
    from wrtn.identity.v1.auth_pb2_grpc import AuthServiceAsyncStub
    from wrtn.identity.v1.avatars_pb2_grpc import AvatarServiceAsyncStub
    from wrtn.identity.v1.break_glass_pb2_grpc import BreakGlassServiceAsyncStub
    from wrtn.identity.v1.credentials_pb2_grpc import CredentialServiceAsyncStub
    from wrtn.identity.v1.emails_pb2_grpc import EmailServiceAsyncStub
    from wrtn.identity.v1.federation_pb2_grpc import FederationServiceAsyncStub
    from wrtn.identity.v1.logins_pb2_grpc import LoginServiceAsyncStub
    from wrtn.identity.v1.mails_pb2_grpc import MailServiceAsyncStub
    from wrtn.identity.v1.members_pb2_grpc import MemberServiceAsyncStub
    from wrtn.identity.v1.passkeys_pb2_grpc import PasskeyServiceAsyncStub
    from wrtn.identity.v1.passwords_pb2_grpc import PasswordServiceAsyncStub
    from wrtn.identity.v1.policies_pb2_grpc import PolicyServiceAsyncStub
    from wrtn.identity.v1.principals_pb2_grpc import PrincipalServiceAsyncStub
    from wrtn.identity.v1.second_factors_pb2_grpc import SecondFactorServiceAsyncStub
    from wrtn.identity.v1.single_sign_on_pb2_grpc import SingleSignOnServiceAsyncStub
    from wrtn.identity.v1.staff_pb2_grpc import StaffServiceAsyncStub
    from wrtn.identity.v1.suspensions_pb2_grpc import SuspensionServiceAsyncStub
    from wrtn.identity.v1.transfers_pb2_grpc import TransferServiceAsyncStub

PUBLIC_URL = "https://chat.example.com"
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""Argon2id that takes 50 us in place of 37 ms."""


class MovableClock(Clock):
    """The real clock, `ahead` of time."""

    def __init__(self) -> None:
        super().__init__()
        self.ahead = timedelta()

    def now(self) -> datetime:
        """Answers the moved time."""
        return super().now() + self.ahead


@dataclass
class Identity:
    """The running service, as its clients see it, and what stands behind it."""

    running: Running[IdentitySettings]
    database: ServiceDatabase
    mailbox: Mailbox
    callers: Callers
    admin_url: str
    titles: dict[tuple[str, str], Title.ValueType]
    employees: dict[str, dict[str, Title.ValueType]]
    duties: dict[tuple[str, str], Duty.ValueType]
    members: MemberServiceAsyncStub = field(init=False)
    auth: AuthServiceAsyncStub = field(init=False)
    logins: LoginServiceAsyncStub = field(init=False)
    policies: PolicyServiceAsyncStub = field(init=False)
    passkeys: PasskeyServiceAsyncStub = field(init=False)
    factors: SecondFactorServiceAsyncStub = field(init=False)
    accounts: AccountServiceAsyncStub = field(init=False)
    credentials: CredentialServiceAsyncStub = field(init=False)
    keys: ApiKeyServiceAsyncStub = field(init=False)
    federation: FederationServiceAsyncStub = field(init=False)
    single_sign_on: SingleSignOnServiceAsyncStub = field(init=False)
    principals: PrincipalServiceAsyncStub = field(init=False)
    mails: MailServiceAsyncStub = field(init=False)
    avatars: AvatarServiceAsyncStub = field(init=False)
    passwords: PasswordServiceAsyncStub = field(init=False)
    emails: EmailServiceAsyncStub = field(init=False)
    transfers: TransferServiceAsyncStub = field(init=False)
    suspensions: SuspensionServiceAsyncStub = field(init=False)
    staff: StaffServiceAsyncStub = field(init=False)
    break_glass: BreakGlassServiceAsyncStub = field(init=False)
    _channel: grpc.aio.Channel = field(init=False)
    _superuser: psycopg.AsyncConnection | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self._channel = self.running.channel()
        self.members = MemberServiceStub(self._channel)
        self.auth = AuthServiceStub(self._channel)
        self.factors = SecondFactorServiceStub(self._channel)
        self.passkeys = PasskeyServiceStub(self._channel)
        self.policies = PolicyServiceStub(self._channel)
        self.logins = LoginServiceStub(self._channel)
        self.accounts = AccountServiceStub(self._channel)
        self.credentials = CredentialServiceStub(self._channel)
        self.keys = ApiKeyServiceStub(self._channel)
        self.federation = FederationServiceStub(self._channel)
        self.single_sign_on = SingleSignOnServiceStub(self._channel)
        self.principals = PrincipalServiceStub(self._channel)
        self.mails = MailServiceStub(self._channel)
        self.avatars = AvatarServiceStub(self._channel)
        self.passwords = PasswordServiceStub(self._channel)
        self.emails = EmailServiceStub(self._channel)
        self.transfers = TransferServiceStub(self._channel)
        self.suspensions = SuspensionServiceStub(self._channel)
        self.staff = StaffServiceStub(self._channel)
        self.break_glass = BreakGlassServiceStub(self._channel)

    async def superuser(self) -> psycopg.AsyncConnection:
        """Answers a connection for which there is no row level security, one for all that is asked."""
        if self._superuser is None:
            self._superuser = await psycopg.AsyncConnection.connect(conninfo(self.admin_url), autocommit=True)
        return self._superuser

    async def close(self) -> None:
        """Closes what is open on the client's side."""
        await self._channel.close()
        if self._superuser is not None:
            await self._superuser.close()

    def peer(self, name: str = "enterprise") -> Metadata:
        """Answers the credentials of a peer service."""
        return self.callers.peer(name, "identity")


def key_file(folder: Path) -> Path:
    """Answers a file with a key-encryption key, made once in the folder."""
    path = folder / "keys"
    if not path.exists():
        path.write_text(base64.b64encode(os.urandom(32)).decode())
    return path


def settings(
    database: ServiceDatabase, broker: Nats, mailbox: Mailbox, callers: Callers, folder: Path
) -> IdentitySettings:
    """Answers the settings of a service over these servers."""
    return IdentitySettings(
        grpc_address="127.0.0.1:0",
        metrics_address="127.0.0.1:0",
        database_url=database.urls.app,
        database_worker_url=database.urls.worker,
        nats_url=broker.url,
        key_file=key_file(folder),
        peer_key_file=callers.private_key("identity"),
        peer_keys_dir=callers.peer_keys_dir,
        identity_address="127.0.0.1:1",
        enterprise_address="127.0.0.1:1",
        sessions_address="127.0.0.1:1",
        billing_address="127.0.0.1:1",
        analytics_address="127.0.0.1:1",
        blob_url=(folder / "blobs").as_uri(),
        smtp_url=f"smtp://127.0.0.1:{mailbox.port}",
        mail_from="wrtn <no-reply@example.com>",
        public_url=PUBLIC_URL,
        drain_seconds=1,
    )


@asynccontextmanager
async def serving(
    chosen: IdentitySettings,
    database: ServiceDatabase,
    mailbox: Mailbox,
    callers: Callers,
    admin_url: str,
    clock: Clock | None = None,
    hasher: PasswordHasher = CHEAP,
) -> AsyncIterator[Identity]:
    """Serves identity. Passwords cost next to nothing, but where a test gives the real `hasher`.

    `titles` says what enterprise would answer of an account in an enterprise, `employees` what of a member in
    the enterprises that it names.
    """
    titles: dict[tuple[str, str], Title.ValueType] = {}
    employees: dict[str, dict[str, Title.ValueType]] = {}
    duties: dict[tuple[str, str], Duty.ValueType] = {}

    async def access_of(request: ResolveAccessRequest) -> Access:
        title = titles.get((request.enterprise_id, request.account_id))
        if request.enterprise_id in employees:
            title = employees[request.enterprise_id].get(request.member_id)
        if title is None:
            return Access()
        employee_id = str(Clock().new_id())
        duty = duties.get((request.enterprise_id, request.account_id))
        held = [duty] if duty else []
        return Access(employee_id=employee_id, member_id=employee_id, title=title, duties=held)

    def wire(runtime: Runtime[IdentitySettings]) -> Parts:
        parts = main.wire(runtime, Passwords(hasher))
        parts.access_source = access_of
        return parts

    async with AsyncExitStack() as closing:
        running = await closing.enter_async_context(service.start("identity", chosen, wire, clock=clock))
        identity = Identity(running, database, mailbox, callers, admin_url, titles, employees, duties)
        closing.push_async_callback(identity.close)
        yield identity

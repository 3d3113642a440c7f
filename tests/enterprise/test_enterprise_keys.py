"""API keys and credentials, before a real identity and a real enterprise: what they may do, until when."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from uuid import uuid4

import grpc
import pytest
import pytest_asyncio

from chassis.clock import Clock
from chassis.embedded.nats import Nats
from chassis.embedded.postgres import Postgres
from chassis.service import Running
from chassis.testing.brokers import emptied
from chassis.testing.callers import Callers, Metadata
from chassis.testing.databases import Templates, databases
from chassis.testing.serving import starting
from chassis.testing.waiting import until
from services.enterprise import main as enterprise_main
from services.enterprise.settings import EnterpriseSettings
from services.identity import main as identity_main
from services.identity.settings import IdentitySettings
from tests.e2e.suite import free_ports
from tests.enterprise.make import refused
from tests.identity import make, service
from tests.identity.make import SignedIn
from tests.identity.service import Identity
from tests.identity.smtp_server import Mailbox, smtp_server
from wrtn.access.v1.access_pb2 import StaffRight, Title
from wrtn.enterprise.v1.employees_pb2 import ChangeTitleRequest, HireEmployeeRequest
from wrtn.enterprise.v1.employees_pb2_grpc import EmployeeServiceStub
from wrtn.enterprise.v1.enterprises_pb2 import (
    CloseEnterpriseRequest,
    CreateEnterpriseRequest,
    GetEnterpriseRequest,
    ReinstateEnterpriseRequest,
    ReopenEnterpriseRequest,
    SuspendEnterpriseRequest,
    SuspensionCause,
)
from wrtn.enterprise.v1.enterprises_pb2_grpc import EnterpriseServiceStub
from wrtn.enterprise.v1.teams_pb2 import CreateTeamRequest
from wrtn.enterprise.v1.teams_pb2_grpc import TeamServiceStub
from wrtn.identity.v1.api_keys_pb2 import CreateApiKeyRequest, CreateEnterpriseApiKeyRequest
from wrtn.identity.v1.auth_pb2 import IssueServiceTokenRequest
from wrtn.identity.v1.credentials_pb2 import CreateServiceCredentialRequest

pytestmark = pytest.mark.asyncio(loop_scope="module")
CODE = grpc.StatusCode
ENDED = (CODE.UNAUTHENTICATED, "PRINCIPAL_ENDED")
ADMITTED_NOWHERE = (CODE.PERMISSION_DENIED, "NOT_ADMITTED")
"""How a good key of an enterprise is answered by a method for members: it is somebody."""


@dataclass
class Both:
    """The two services, each asking the other."""

    identity: Identity
    enterprise: Running[EnterpriseSettings]
    channel: grpc.aio.Channel

    def __post_init__(self) -> None:
        self.enterprises = EnterpriseServiceStub(self.channel)
        self.employees = EmployeeServiceStub(self.channel)
        self.teams = TeamServiceStub(self.channel)

    async def owner(self) -> tuple[str, str, SignedIn]:
        """Makes an enterprise; answers its id, its slug, and its owner, acting by its account."""
        signed_in = await make.member(self.identity)
        request = CreateEnterpriseRequest(display_name="Acme", slug=f"a{uuid4().hex}")
        made = await self.enterprises.CreateEnterprise(request, metadata=signed_in.metadata)
        return made.enterprise.id, request.slug, await self.acting(signed_in, made.account_id)

    async def acting(self, signed_in: SignedIn, account_id: str) -> SignedIn:
        """Answers the member acting by that account."""
        pair = await make.refresh(self.identity, signed_in.pair.refresh_token, account_id)
        return SignedIn(signed_in.email, pair)

    async def key(self, signed_in: SignedIn, *scopes: str) -> Metadata:
        """Makes a member's key for the acting account."""
        request = CreateApiKeyRequest(display_name="Laptop", scopes=scopes, account_id=signed_in.account_id)
        made = await self.identity.keys.CreateApiKey(request, metadata=signed_in.metadata)
        return make.bearer(made.key)

    async def answer(self, enterprise_id: str, metadata: Metadata) -> tuple[grpc.StatusCode, str]:
        """Answers how a reading of the enterprise ends that is not for such a caller."""
        request = GetEnterpriseRequest(enterprise_id=enterprise_id)
        return await refused(self.enterprises.GetEnterprise(request, metadata=metadata))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def both(
    templates: Templates,
    nats_server: Nats,
    peer_keys: Path,
    postgres: Postgres,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Both]:
    """Identity and enterprise over fresh databases, shared by these tests."""
    where = f"127.0.0.1:{free_ports()['WRTN_IDENTITY_PORT']}"
    clock, folder = Clock(), tmp_path_factory.mktemp("blobs")
    callers = Callers(clock, peer_keys)
    async with (
        databases(templates, clock) as database,
        emptied(nats_server) as broker,
        smtp_server(Mailbox()) as mailbox,
        starting(database, broker, callers) as serve,
    ):
        made = await database("identity")
        enterprise = await serve(
            "enterprise", EnterpriseSettings, enterprise_main.wire, known=False, identity_address=where
        )
        running = await serve(
            "identity",
            IdentitySettings,
            identity_main.wire,
            database=made,
            known=False,
            grpc_address=where,
            enterprise_address=f"127.0.0.1:{enterprise.port}",
            sessions_address="127.0.0.1:1",
            billing_address="127.0.0.1:1",
            analytics_address="127.0.0.1:1",
            blob_url=folder.as_uri(),
            smtp_url=f"smtp://127.0.0.1:{mailbox.port}",
            mail_from="wrtn <no-reply@example.com>",
            public_url=service.PUBLIC_URL,
        )
        identity = Identity(running, made, mailbox, callers, postgres.url(made.name), {}, {}, {})
        async with enterprise.channel() as channel:
            yield Both(identity, enterprise, channel)
        await identity.close()


async def test_a_members_key_that_may_write_decides_as_its_member_does(both: Both) -> None:
    enterprise_id, _, owner = await both.owner()
    hired = await make.member(both.identity)
    key = await both.key(owner, "read", "write")
    request = HireEmployeeRequest(
        enterprise_id=enterprise_id, member_id=hired.member_id, title=Title.TITLE_MANAGER
    )
    manager = await both.employees.HireEmployee(request, metadata=key)
    team = CreateTeamRequest(enterprise_id=enterprise_id, display_name="Sales")
    assert (await both.teams.CreateTeam(team, metadata=key)).display_name == "Sales"
    # The key of a manager may not do what a manager may not.
    theirs = await both.key(await both.acting(hired, manager.account_id), "read", "write")
    above = ChangeTitleRequest(
        enterprise_id=enterprise_id, employee_id=manager.id, title=Title.TITLE_OWNER, reason="Me."
    )
    assert (await refused(both.employees.ChangeTitle(above, metadata=theirs)))[0] is CODE.PERMISSION_DENIED
    read_only = await both.key(owner, "read")
    refusal = await refused(both.teams.CreateTeam(team, metadata=read_only))
    assert refusal == (CODE.PERMISSION_DENIED, "KEY_SCOPE_MISSING")


@pytest.mark.parametrize("how", ["suspended", "closed"])
async def test_keys_and_credentials_of_an_enterprise_that_is_halted_are_refused_within_a_second(
    both: Both, how: str
) -> None:
    enterprise_id, slug, owner = await both.owner()
    asked = CreateEnterpriseApiKeyRequest(
        enterprise_id=enterprise_id, display_name="Directory", scopes=["scim.provision"]
    )
    made = await both.identity.keys.CreateEnterpriseApiKey(asked, metadata=owner.metadata)
    key, of_member = make.bearer(made.key), await both.key(owner, "read")
    wanted = CreateServiceCredentialRequest(
        enterprise_id=enterprise_id, display_name="Server", scopes=["sessions.record"]
    )
    credential = await both.identity.credentials.CreateServiceCredential(wanted, metadata=owner.metadata)
    exchange = IssueServiceTokenRequest(credential_id=credential.credential.id, secret=credential.secret)
    token = make.bearer((await both.identity.auth.IssueServiceToken(exchange)).access_token)
    other_id, _, neighbour = await both.owner()
    theirs = await both.key(neighbour, "read")
    staff = await make.staff(both.identity, StaffRight.STAFF_RIGHT_MODERATOR)
    # From here on the answers about them are kept, for five seconds unless somebody tells.
    for metadata in (key, token):
        assert await both.answer(enterprise_id, metadata) == ADMITTED_NOWHERE
    get = GetEnterpriseRequest(enterprise_id=enterprise_id)
    assert (await both.enterprises.GetEnterprise(get, metadata=of_member)).id == enterprise_id

    if how == "suspended":
        suspend = SuspendEnterpriseRequest(
            enterprise_id=enterprise_id, cause=SuspensionCause.SUSPENSION_CAUSE_TERMS, reason="Spam."
        )
        await both.enterprises.SuspendEnterprise(suspend, metadata=staff.metadata)
    else:
        close = CloseEnterpriseRequest(enterprise_id=enterprise_id, confirm_slug=slug)
        await both.enterprises.CloseEnterprise(close, metadata=owner.metadata)
    began = monotonic()
    for metadata in (key, token, of_member):

        async def ended(metadata: Metadata = metadata) -> bool:
            return await both.answer(enterprise_id, metadata) == ENDED

        await until(ended)
    assert monotonic() - began < 4, "it was not told: what was kept ran out"
    assert await refused(both.identity.auth.IssueServiceToken(exchange)) == (
        CODE.UNAUTHENTICATED,
        "CREDENTIAL_REFUSED",
    )
    get = GetEnterpriseRequest(enterprise_id=other_id)
    assert (await both.enterprises.GetEnterprise(get, metadata=theirs)).id == other_id

    if how == "suspended":
        reinstate = ReinstateEnterpriseRequest(enterprise_id=enterprise_id, reason="A mistake.")
        await both.enterprises.ReinstateEnterprise(reinstate, metadata=staff.metadata)
    else:
        reopen = ReopenEnterpriseRequest(enterprise_id=enterprise_id)
        await both.enterprises.ReopenEnterprise(reopen, metadata=owner.metadata)

    async def works() -> bool:
        return await both.answer(enterprise_id, key) == ADMITTED_NOWHERE

    await until(works)

"""What people are told of budgets, by mail: identity is a server of ours that takes it."""
# ruff: noqa: N802 - gRPC methods are named as in the proto

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import grpc
import pytest
import pytest_asyncio

from chassis.database import Scope
from chassis.testing.callers import Callers
from chassis.testing.databases import DatabaseFactory
from chassis.testing.serving import Serve
from chassis.testing.waiting import until
from services.billing.main import wire
from services.billing.settings import BillingSettings
from services.billing.wallets import wallets
from services.enterprise.webhooks.webhook_types import by_service
from services.identity.mail.letters import Letters
from tests.billing.office import Office, found, refused, replica
from tests.usage import NEW
from wrtn.access.v1.access_pb2 import Duty, Role, Title
from wrtn.billing.v1.events_pb2 import BudgetNoticed, WalletRefused
from wrtn.enterprise.v1.events_pb2 import CompanionAppointed, DutiesChanged, EmployeeHired, TitleChanged
from wrtn.identity.v1.mails_pb2 import SendMailRequest, SendMailResponse
from wrtn.identity.v1.mails_pb2_grpc import MailServiceServicer, add_MailServiceServicer_to_server

if TYPE_CHECKING:
    from google.protobuf.message import Message


@dataclass
class Mails(MailServiceServicer):
    """Takes mails, each once; away while it fails."""

    taken: dict[str, SendMailRequest] = field(default_factory=dict)
    fails: bool = False

    async def SendMail(self, request: SendMailRequest, context: Any) -> SendMailResponse:
        if self.fails:
            await context.abort(grpc.StatusCode.UNAVAILABLE)
        self.taken[request.request_id] = request
        return SendMailResponse(mail_id=request.request_id)

    @property
    def told(self) -> Counter[tuple[str, str, str]]:
        """How often who was told what: template, member, percentage."""
        return Counter(
            (each.template, each.member_id, each.values["percent"]) for each in self.taken.values()
        )


@dataclass
class World:
    """An office and the mails from it."""

    office: Office
    mails: Mails

    async def joined(
        self, title: Title.ValueType, *, duties: tuple[Duty.ValueType, ...] = (), chief_of: UUID | None = None
    ) -> tuple[UUID, UUID]:
        """Employs somebody, and waits until billing knows; answers the employee and the member."""
        employee, member, account = NEW(), NEW(), NEW()
        hired = EmployeeHired(
            employee_id=str(employee), member_id=str(member), account_id=str(account), title=title
        )
        facts: list[tuple[Message, UUID, int]] = [(hired, employee, 1)]
        if duties:
            facts.append((DutiesChanged(employee_id=str(employee), duties=duties), employee, 2))
        if chief_of is not None:
            appointed = CompanionAppointed(
                employee_id=str(employee), team_id=str(chief_of), role=Role.ROLE_CHIEF
            )
            facts.append((appointed, NEW(), 1))
        await self.office.tell("enterprise", *facts)

        async def known() -> bool:
            query = """SELECT 1 FROM wrtn_known_employees AS e
                WHERE employee_id = %s AND (%s OR EXISTS (SELECT FROM wrtn_known_duties AS d
                    WHERE d.employee_id = e.employee_id))
                AND (%s OR EXISTS (SELECT FROM wrtn_known_companions AS c
                    WHERE c.employee_id = e.employee_id))"""
            return bool(await self.office.rows(query, employee, not duties, chief_of is None))

        await until(known)
        return employee, member

    async def all_sent(self) -> None:
        """Waits until no letter is left."""

        async def none() -> bool:
            return not await self.office.rows("SELECT 1 FROM wrtn_letters")

        await until(none, 20)


@pytest_asyncio.fixture
async def world(database: DatabaseFactory, serve: Serve, callers: Callers) -> AsyncIterator[World]:
    """Billing with identity beside it."""
    mails, server = Mails(), grpc.aio.server()
    add_MailServiceServicer_to_server(mails, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    made = await database("billing")
    address = f"127.0.0.1:{port}"
    running = await serve("billing", BillingSettings, wire, database=made, identity_address=address)
    async with replica(running) as stubs:
        yield World(await found(stubs, made, callers), mails)
    await server.stop(None)


async def test_thresholds_and_the_first_refusal_are_mailed_once_to_those_concerned(world: World) -> None:
    office, mails = world.office, world.mails
    _, owner = await world.joined(Title.TITLE_OWNER)
    _, payer = await world.joined(Title.TITLE_MANAGER, duties=(Duty.DUTY_BILLING,))
    await world.joined(Title.TITLE_MANAGER, duties=(Duty.DUTY_SECURITY,))
    await world.joined(Title.TITLE_MANAGER)
    _, chief = await world.joined(Title.TITLE_MEMBER, chief_of=office.line[1])
    await office.budget("4", thresholds=[50])
    await office.budget("4", thresholds=[50], team_id=office.line[1])
    await office.budget("4", thresholds=[50], employee_id=office.person.employee_id)
    mails.fails = True
    await office.use(1_000_000)
    await office.use(500_000)
    for _ in range(3):
        await refused(office.spend("2"))
    mails.fails = False
    await world.all_sent()
    person = str(office.person.member_id)
    assert mails.told == Counter(
        [
            ("budget_reached", person, "50"),
            ("budget_reached", str(chief), "50"),
            ("budget_reached", str(owner), "50"),
            ("budget_reached", str(payer), "50"),
            # The narrowest level refuses first.
            ("budget_refused", person, ""),
        ]
    )


async def test_a_team_without_a_chief_is_the_payers_matter(world: World) -> None:
    _, owner = await world.joined(Title.TITLE_OWNER)
    await world.office.budget("0", team_id=world.office.line[0])
    await refused(world.office.spend("1"))
    await world.all_sent()
    assert world.mails.told == Counter([("budget_refused", str(owner), "")])


async def test_the_first_refusal_of_a_wallet_is_mailed_to_the_payers_again_once_credits_came(
    world: World,
) -> None:
    office, mails = world.office, world.mails
    _, owner = await world.joined(Title.TITLE_OWNER)
    await world.joined(Title.TITLE_MANAGER)
    for times in (1, 2):
        async with office.database.app.transaction(Scope.of(office.id)) as tx:
            await wallets.bonus(tx, office.id, Decimal(2), "USD", reference=f"bonus:{times}")
            await wallets.set_prepaid(tx, office.id, prepaid=True)
        for _ in range(2):
            await refused(office.spend("4.5"))
        await world.all_sent()
        assert mails.told == Counter({("wallet_refused", str(owner), ""): times})
    left = [(each.values["amount"], each.values["currency"]) for each in mails.taken.values()]
    assert left == [("2", "USD"), ("4", "USD")]


async def test_duties_end_with_a_later_change_of_title(world: World) -> None:
    employee, _ = await world.joined(Title.TITLE_MANAGER, duties=(Duty.DUTY_BILLING,))
    changed = TitleChanged(employee_id=str(employee), member_id=str(NEW()), title=Title.TITLE_MANAGER)
    await world.office.tell("enterprise", (changed, employee, 4))

    async def known() -> bool:
        query = "SELECT 1 FROM wrtn_known_employees WHERE employee_id = %s AND version = 4"
        return bool(await world.office.rows(query, employee))

    await until(known)
    await world.office.budget("0")
    await refused(world.office.spend("1"))
    await world.all_sent()
    assert not world.mails.taken


def test_webhooks_carry_notices() -> None:
    assert {BudgetNoticed, WalletRefused} <= set(by_service()["billing"])


@pytest.mark.parametrize("level", ["employee", "team", "enterprise"])
@pytest.mark.parametrize(
    "template", ["budget_reached", "budget_refused", "budget_requested", "budget_request_decided"]
)
def test_identity_has_the_templates(template: str, level: str) -> None:
    fills = {"level": level, "amount": "4.25", "percent": "50", "outcome": "approved"}
    assert "4.25" in Letters(public_url=None).write(template, "en", fills).text


def test_identity_has_the_template_of_wallets() -> None:
    fills = {"amount": "4.25", "currency": "EUR"}
    letter = Letters(public_url=None).write("wallet_refused", "en", fills)
    assert "4.25 EUR" in letter.text
    assert "4.25 EUR" in letter.html

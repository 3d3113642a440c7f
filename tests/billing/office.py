"""An enterprise as billing knows it by events: teams above each other, an employee in the lowest."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import grpc
import pytest
from google.rpc.error_details_pb2 import ErrorInfo
from grpc_status import rpc_status

from chassis.database import Scope
from chassis.events.envelope import Event
from chassis.service import Running
from chassis.testing.callers import Callers, Known
from chassis.testing.databases import ServiceDatabase
from chassis.testing.waiting import until
from services.billing.settings import BillingSettings
from services.billing.wallets import wallets
from tests.usage import NEW, NOON, Person, publish, recorded, tokens, usage
from wrtn.access.v1.access_pb2 import Role, Title
from wrtn.billing.v1 import budgets_pb2, spending_pb2
from wrtn.billing.v1.budgets_pb2_grpc import BudgetServiceStub
from wrtn.billing.v1.spending_pb2_grpc import SpendServiceStub
from wrtn.enterprise.v1.events_pb2 import CompanionAppointed, EmployeeHired, EnterpriseCreated, TeamCreated
from wrtn.identity.v1.events_pb2 import AccountOpened
from wrtn.sessions.v1.token_usage_pb2 import TokenUsage

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from wrtn.billing.v1.budgets_pb2_grpc import BudgetServiceAsyncStub
    from wrtn.billing.v1.spending_pb2_grpc import SpendServiceAsyncStub

MODEL = "openai/gpt-4.1"
"""It costs 2 dollars a million input tokens and 8 a million output tokens, also in the tests' own list."""
_TARGET = ("team_id", "employee_id")


@dataclass
class Replica:
    """A running billing service."""

    running: Running[BillingSettings]
    budgets: BudgetServiceAsyncStub
    spends: SpendServiceAsyncStub


@asynccontextmanager
async def replica(running: Running[BillingSettings]) -> AsyncIterator[Replica]:
    """Answers stubs of a running service."""
    async with running.channel() as channel:
        yield stubs(running, channel)


def stubs(running: Running[BillingSettings], channel: grpc.aio.Channel) -> Replica:
    """Answers stubs of a running service over a channel to it."""
    return Replica(running, BudgetServiceStub(channel), SpendServiceStub(channel))


@dataclass
class Office:
    """An enterprise with `line`, the lowest team first, and an employee in it."""

    replica: Replica
    database: ServiceDatabase
    callers: Callers
    person: Person
    owner: Known
    credential: Known

    @property
    def id(self) -> UUID:
        return self.person.tenant_id

    @property
    def line(self) -> tuple[UUID, ...]:
        return self.person.path

    async def tell(self, source: str, *facts: tuple[Message, UUID, int]) -> None:
        """Publishes facts, each with its aggregate and version."""
        events = [Event(NEW(), NOON, self.id, aggregate, version, fact) for fact, aggregate, version in facts]
        await publish(self.replica.running.runtime.bus, source, events)

    async def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Reads with the rights of the app."""
        async with self.database.app.snapshot(Scope.of(self.id)) as snapshot:
            return await (await (await snapshot.driver()).execute(query, values)).fetchall()

    async def budget(
        self,
        amount: str,
        *,
        by: Known | None = None,
        period: budgets_pb2.BudgetPeriod.ValueType = budgets_pb2.BUDGET_PERIOD_MONTH,
        **more: Any,
    ) -> budgets_pb2.Budget:
        """Sets a budget; by the owner, if nobody else is named."""
        more |= {name: str(more[name]) for name in _TARGET if name in more}
        reason = more.pop("reason", "")
        request = budgets_pb2.CreateBudgetRequest(
            enterprise_id=str(self.id),
            budget=budgets_pb2.Budget(amount=amount, period=period, **more),
            reason=reason,
        )
        return await self.replica.budgets.CreateBudget(request, metadata=(by or self.owner).metadata)

    async def change(
        self, budget: budgets_pb2.Budget, *, by: Known | None = None, **changes: Any
    ) -> budgets_pb2.Budget:
        """Changes terms of a budget, as it was when `budget` was read."""
        request = budgets_pb2.UpdateBudgetRequest(
            enterprise_id=str(self.id),
            budget=budgets_pb2.Budget(id=budget.id, etag=budget.etag, **changes),
        )
        request.update_mask.paths.extend(changes)
        return await self.replica.budgets.UpdateBudget(request, metadata=(by or self.owner).metadata)

    async def read(self, budget: budgets_pb2.Budget, by: Known | None = None) -> budgets_pb2.Budget:
        """Gets a budget as it stands now."""
        request = budgets_pb2.GetBudgetRequest(enterprise_id=str(self.id), budget_id=budget.id)
        return await self.replica.budgets.GetBudget(request, metadata=(by or self.owner).metadata)

    def asking(self, amount: str | TokenUsage, **more: Any) -> spending_pb2.AuthorizeSpendRequest:
        """Builds a request of the employee for their team."""
        estimate = spending_pb2.SpendEstimate()
        if isinstance(amount, str):
            estimate.amount = amount
        else:
            estimate.tokens.input = int(amount.input.total)
            estimate.tokens.output = int(amount.output.total)
        given: dict[str, Any] = {
            "reservation_id": str(NEW()),
            "tenant_id": str(self.id),
            "account_id": str(self.person.account_id),
            "team_id": str(self.line[0]),
            "model": MODEL,
            "estimate": estimate,
        }
        return spending_pb2.AuthorizeSpendRequest(**(given | more))

    async def spend(self, amount: str | TokenUsage, **more: Any) -> spending_pb2.Reservation:
        """Authorizes a spending of the employee for their team."""
        return await self.replica.spends.AuthorizeSpend(
            self.asking(amount, **more), metadata=self.credential.metadata
        )

    async def use(
        self,
        input_tokens: int,
        reservation: spending_pb2.Reservation | None = None,
        *,
        times: int = 1,
        procedure_id: str = "",
    ) -> None:
        """Has the employee use input tokens at 2 dollars a million, and waits until they are rated."""
        message = usage(
            self.person, tokens(input_tokens, 0, 0), model=MODEL, at=self.replica.running.runtime.clock.now()
        )
        message.procedure_id = procedure_id
        if reservation is not None:
            message.reservation_id = reservation.id
        await publish(self.replica.running.runtime.bus, "sessions", [recorded(message)] * times)

        async def rated() -> bool:
            query = "SELECT 1 FROM wrtn_usages WHERE history_id = %s"
            return bool(await self.rows(query, UUID(message.history_id)))

        await until(rated)


async def found(
    replica: Replica, database: ServiceDatabase, callers: Callers, *, deep: int = 3, zone: str = "UTC"
) -> Office:
    """Founds an enterprise with teams `deep` above each other, and waits until billing knows it."""
    enterprise = NEW()
    line: tuple[UUID, ...] = ()
    facts: list[tuple[Message, UUID, int]] = [
        (EnterpriseCreated(enterprise_id=str(enterprise), time_zone=zone), enterprise, 1)
    ]
    for _ in range(deep):
        team = callers.team(enterprise, *line)
        above = [str(each) for each in line]
        facts.append(
            (TeamCreated(enterprise_id=str(enterprise), team_id=str(team), ancestor_ids=above), team, 1)
        )
        line = (team, *line)
    person = Person(enterprise, line)
    office = Office(
        replica,
        database,
        callers,
        person,
        callers.employee(enterprise, Title.TITLE_OWNER),
        callers.credential("sessions.record", tenant_id=enterprise),
    )
    await office.tell("enterprise", *facts, *_joins(person))
    await office.tell("identity", _opened(person))

    async def known() -> Mapping[str, Any] | bool:
        query = """SELECT 1 FROM wrtn_known_accounts, wrtn_known_enterprises, wrtn_known_employees,
            wrtn_known_companions WHERE (SELECT count(*) FROM wrtn_known_teams) = %s"""
        return bool(await office.rows(query, deep))

    await until(known)
    return office


def _joins(person: Person) -> list[tuple[Message, UUID, int]]:
    employee = person.employee_id or NEW()
    hired = EmployeeHired(
        enterprise_id=str(person.tenant_id),
        employee_id=str(employee),
        member_id=str(person.member_id),
        account_id=str(person.account_id),
        title=Title.TITLE_MEMBER,
    )
    appointed = CompanionAppointed(
        enterprise_id=str(person.tenant_id),
        team_id=str(person.path[0]),
        employee_id=str(employee),
        role=Role.ROLE_MEMBER,
    )
    return [(hired, employee, 1), (appointed, NEW(), 1)]


def _opened(person: Person) -> tuple[Message, UUID, int]:
    opened = AccountOpened(
        account_id=str(person.account_id),
        tenant_id=str(person.tenant_id),
        holder_member_id=str(person.member_id),
    )
    return opened, person.account_id, 1


async def credited(office: Office, amount: str, *, prepaid: bool = True) -> None:
    """Gives credits."""
    async with office.database.app.transaction(Scope.of(office.id)) as tx:
        await wallets.bonus(tx, office.id, Decimal(amount), "USD", reference=f"bonus:{NEW()}")
        await wallets.set_prepaid(tx, office.id, prepaid=prepaid)


async def stands(office: Office) -> tuple[Decimal, Decimal]:
    """Answers what is in the wallet, and what is held of it."""
    query = "SELECT balance, reserved FROM wrtn_wallets JOIN wrtn_wallet_holds USING (tenant_id)"
    balance, reserved = (await office.rows(query))[0]
    return balance, reserved


async def refused(call: Any) -> tuple[str, dict[str, str]]:
    """Answers the reason of a refusal and its metadata."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return told(caught.value)


def told(error: grpc.aio.AioRpcError) -> tuple[str, dict[str, str]]:
    """Answers the reason that an error tells, and its metadata."""
    status = rpc_status.from_call(error)
    assert status is not None
    info = next(each for each in status.details if each.type_url.endswith("ErrorInfo"))
    read = ErrorInfo.FromString(info.value)
    return read.reason, dict(read.metadata)

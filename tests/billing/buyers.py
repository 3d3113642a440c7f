"""An enterprise that subscribes and is invoiced, by a clock that stands still until it is set."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import grpc

from chassis.clock import Clock
from chassis.database import Scope
from chassis.events.envelope import Event
from chassis.service import Running
from chassis.testing.callers import Callers, Known
from chassis.testing.databases import DatabaseFactory, ServiceDatabase
from chassis.testing.serving import Serve
from services.billing.consumers import Rating
from services.billing.invoices.drafting import Drafter
from services.billing.invoices.invoice_cycle import InvoiceCycle
from services.billing.invoices.team_names import TeamNames
from services.billing.main import wire
from services.billing.models import KnownCurrency, KnownEnterprise, KnownTeam
from services.billing.pricing.price_list import PriceList
from services.billing.settings import BillingSettings
from tests.billing.make import REAL
from tests.billing.office import MODEL
from tests.usage import NEW, Person, recorded, tokens, usage
from wrtn.access.v1.access_pb2 import StaffRight, Title
from wrtn.billing.v1.invoice_settings_pb2_grpc import InvoiceSettingsServiceStub
from wrtn.billing.v1.invoices_pb2 import GetInvoiceRequest, Invoice, ListInvoicesRequest
from wrtn.billing.v1.invoices_pb2_grpc import InvoiceServiceStub
from wrtn.billing.v1.plans_pb2_grpc import PlanServiceStub
from wrtn.billing.v1.subscriptions_pb2_grpc import SubscriptionServiceStub
from wrtn.enterprise.v1.teams_pb2 import LookUpTeamNamesRequest, LookUpTeamNamesResponse
from wrtn.enterprise.v1.teams_pb2_grpc import TeamServiceServicer, add_TeamServiceServicer_to_server
from wrtn.sessions.v1.events_pb2 import UsageRecorded

if TYPE_CHECKING:
    from wrtn.billing.v1.invoice_settings_pb2_grpc import InvoiceSettingsServiceAsyncStub
    from wrtn.billing.v1.invoices_pb2_grpc import InvoiceServiceAsyncStub
    from wrtn.billing.v1.plans_pb2_grpc import PlanServiceAsyncStub
    from wrtn.billing.v1.subscriptions_pb2_grpc import SubscriptionServiceAsyncStub


class StillClock(Clock):
    """A clock that shows `moment`."""

    moment = datetime(2026, 11, 10, 12, tzinfo=UTC)

    def now(self) -> datetime:
        """Answers the moment."""
        return self.moment


class Directory(TeamServiceServicer):
    """What enterprise says teams are called; away while it has no names."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}

    async def LookUpTeamNames(  # noqa: N802 - as in the proto
        self, request: LookUpTeamNamesRequest, context: Any
    ) -> LookUpTeamNamesResponse:
        if not self.names:
            await context.abort(grpc.StatusCode.INTERNAL)
        found = {each: self.names[each] for each in request.team_ids if each in self.names}
        return LookUpTeamNamesResponse(display_names=found)


@dataclass
class Buyer:
    """A running service and an enterprise that it knows."""

    running: Running[BillingSettings]
    database: ServiceDatabase
    clock: StillClock
    callers: Callers
    plans: PlanServiceAsyncStub
    subscriptions: SubscriptionServiceAsyncStub
    invoices: InvoiceServiceAsyncStub
    settings: InvoiceSettingsServiceAsyncStub
    directory: Directory
    rating: Rating
    id: UUID

    @property
    def owner(self) -> Known:
        """An owner who signed in just now."""
        return self.callers.employee(self.id, Title.TITLE_OWNER)

    @property
    def administrator(self) -> Known:
        """A member of staff who signed in just now."""
        return self.callers.member(staff=StaffRight.STAFF_RIGHT_ADMINISTRATOR)

    def at(self, *parts: int) -> datetime:
        """Sets the clock to a time, UTC."""
        self.clock.moment = datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc]
        return self.clock.moment

    async def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Reads with the rights of the app."""
        async with self.database.app.snapshot(Scope.of(self.id)) as snapshot:
            return await (await (await snapshot.driver()).execute(query, values)).fetchall()

    async def rate(self, messages: Iterable[UsageRecorded]) -> None:
        """Rates usages as the consumer does."""
        events: list[Event[UsageRecorded]] = [recorded(message) for message in messages]
        async with self.running.runtime.db.transaction(Scope.of(self.id)) as tx:
            await self.rating.rate(tx, events)

    async def use(
        self, input_tokens: int, at: datetime, person: Person | None = None, model: str = MODEL
    ) -> UsageRecorded:
        """Uses input tokens at a time; a million of the usual model costs 2 dollars."""
        message = usage(person or Person(self.id), tokens(input_tokens, 0, 0), model=model, at=at)
        await self.rate([message])
        return message

    def cycle(self) -> InvoiceCycle:
        """Answers the job that draws invoices up."""
        runtime = self.running.runtime
        drafter = Drafter(runtime.keyring, runtime.settings.taxes())
        names = TeamNames(runtime.db, runtime.peers)
        return InvoiceCycle(runtime.db, runtime.worker, runtime.clock, drafter, names)

    async def invoiced(self, *parts: int) -> list[Invoice]:
        """Runs the job at a time, UTC; answers all invoices, the oldest first, with their lines."""
        self.at(*parts)
        await self.cycle().run()
        return await self.all_invoices()

    async def all_invoices(self) -> list[Invoice]:
        """Answers all invoices, the oldest first, with their lines."""
        by, enterprise = self.owner, str(self.id)
        listed = await self.invoices.ListInvoices(
            ListInvoicesRequest(enterprise_id=enterprise), metadata=by.metadata
        )
        asked = (
            GetInvoiceRequest(enterprise_id=enterprise, invoice_id=each.id)
            for each in reversed(listed.invoices)
        )
        return [await self.invoices.GetInvoice(each, metadata=by.metadata) for each in asked]

    async def balances(self) -> dict[str, Decimal]:
        """Answers the balance of each account of the ledger that is not zero."""
        rows = await self.rows("SELECT ledger_account, balance FROM wrtn_ledger_balances WHERE balance <> 0")
        return {row[0]: row[1] for row in rows}

    async def move(self, zone: str) -> None:
        """Changes the time zone of the enterprise."""
        async with self.database.app.transaction(Scope.of(self.id)) as tx:
            await tx.session.merge(KnownEnterprise(tenant_id=self.id, time_zone=zone, version=2))


async def found(buyer: Buyer, zone: str = "UTC", currency: str = "USD", *teams: UUID) -> Buyer:
    """Answers another enterprise at the same service, with teams above each other."""
    enterprise = NEW()
    async with buyer.database.app.transaction(Scope.of(enterprise)) as tx:
        tx.session.add(KnownEnterprise(tenant_id=enterprise, time_zone=zone, version=1))
        tx.session.add(KnownCurrency(tenant_id=enterprise, currency=currency, version=1))
        for team, parent in zip(teams, (*teams[1:], None), strict=False):
            row = KnownTeam(
                tenant_id=enterprise, team_id=team, parent_team_id=parent, archived=False, version=1
            )
            tx.session.add(row)
    return Buyer(**{**vars(buyer), "id": enterprise})


@asynccontextmanager
async def opened(
    database: DatabaseFactory, serve: Serve, callers: Callers, **settings: Any
) -> AsyncIterator[Buyer]:
    """Starts a service under a still clock."""
    clock = StillClock()
    callers.clock = clock
    made = await database("billing")
    directory, server = Directory(), grpc.aio.server()  # type: ignore[abstract]
    add_TeamServiceServicer_to_server(directory, server)
    settings["enterprise_address"] = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    running = await serve("billing", BillingSettings, wire, database=made, clock=clock, **settings)
    async with running.channel() as channel:
        yield Buyer(
            running,
            made,
            clock,
            callers,
            PlanServiceStub(channel),
            SubscriptionServiceStub(channel),
            InvoiceServiceStub(channel),
            InvoiceSettingsServiceStub(channel),
            directory,
            Rating(PriceList(REAL)),
            NEW(),
        )
    await server.stop(None)

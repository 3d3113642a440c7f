"""Wallets for the tests: who has one, who looks into it, and administrators."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import grpc
from google.protobuf.message import Message

from chassis.database import Scope
from chassis.events.envelope import Event
from chassis.service import Running
from chassis.testing.callers import Callers, Known
from chassis.testing.databases import ServiceDatabase
from chassis.testing.waiting import until
from services.billing.ledger import chart
from services.billing.models import WalletLot
from services.billing.settings import BillingSettings
from services.billing.wallets import wallets
from tests.usage import NEW, Person, publish, recorded, tokens, usage
from wrtn.access.v1.access_pb2 import StaffRight, Title
from wrtn.billing.v1 import wallets_pb2 as pb
from wrtn.billing.v1.wallets_pb2_grpc import WalletServiceStub
from wrtn.enterprise.v1.events_pb2 import EnterpriseCreated
from wrtn.identity.v1.events_pb2 import AccountOpened

if TYPE_CHECKING:
    from wrtn.billing.v1.wallets_pb2_grpc import WalletServiceAsyncStub


BEFORE = datetime(2026, 1, 1, tzinfo=UTC)
"""When accounts were opened."""


@dataclass
class Purses:
    """A running billing service, and an administrator."""

    running: Running[BillingSettings]
    database: ServiceDatabase
    callers: Callers
    channel: grpc.aio.Channel
    wallets: WalletServiceAsyncStub
    admin: Known

    async def enterprise(self, currency: str = "USD") -> Known:
        """Founds an enterprise; answers its owner."""
        tenant_id = NEW()
        fact = EnterpriseCreated(enterprise_id=str(tenant_id), time_zone="UTC", currency=currency)
        await self.tell("enterprise", tenant_id, fact, tenant_id, 1)
        await self.appears("wrtn_known_currencies", tenant_id)
        return self.callers.employee(tenant_id, Title.TITLE_OWNER)

    async def person(self) -> Known:
        """Opens a personal account; answers its holder."""
        known = self.callers.member()
        fact = AccountOpened(
            account_id=str(known.account_id),
            tenant_id=str(known.account_id),
            holder_member_id=str(known.member_id),
        )
        await self.tell("identity", known.account_id, fact, known.account_id, 1)
        await self.appears("wrtn_account_tenures", known.account_id)
        return known

    async def tell(
        self,
        source: str,
        tenant_id: UUID,
        fact: Message,
        aggregate: UUID,
        version: int,
        at: datetime = BEFORE,
    ) -> None:
        """Publishes a fact of a peer."""
        event = Event(NEW(), at, tenant_id, aggregate, version, fact)
        await publish(self.running.runtime.bus, source, [event])

    async def appears(self, table: str, tenant_id: UUID, times: int = 1) -> None:
        """Waits until the tenant has rows in a table."""

        async def there() -> bool:
            found = await self.rows(tenant_id, f"SELECT 1 FROM {table}")
            return len(found) >= times

        await until(there)

    async def rows(self, tenant_id: UUID, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Reads a tenant's rows with the rights of the app."""
        async with self.database.app.snapshot(Scope.of(tenant_id)) as snapshot:
            return await (await (await snapshot.driver()).execute(query, values)).fetchall()

    async def bought(self, tenant_id: UUID, amount: str, currency: str = "USD") -> WalletLot:
        """Buys credits, as a payment that succeeded does."""
        async with self.database.app.transaction(Scope.of(tenant_id)) as tx:
            return await wallets.purchase(
                tx,
                tenant_id,
                Decimal(amount),
                currency,
                source=chart.cash("test"),
                reference=f"payment:{NEW()}",
            )

    async def bonus(self, tenant_id: UUID, amount: str = "1", **more: Any) -> pb.WalletLot:
        """Has the administrator give credits."""
        given: dict[str, Any] = {
            "wallet_id": str(tenant_id),
            "amount": amount,
            "currency": "USD",
            "reason": "kindness",
        }
        request = pb.AddWalletBonusRequest(**given | more)
        return await self.wallets.AddWalletBonus(request, metadata=self.admin.metadata)

    async def used(self, person: Person, dollars: int) -> None:
        """Has a person use input tokens for whole dollars, and waits until that is rated."""
        message = usage(person, tokens(dollars * 500_000, 0, 0))
        await publish(self.running.runtime.bus, "sessions", [recorded(message)])

        async def rated() -> bool:
            query = "SELECT 1 FROM wrtn_usages WHERE history_id = %s"
            return bool(await self.rows(person.tenant_id, query, UUID(message.history_id)))

        await until(rated)

    async def shown(self, known: Known, tenant_id: UUID | None = None) -> pb.Wallet:
        """Gets a wallet; the caller's own if none is named."""
        request = pb.GetWalletRequest(wallet_id=str(tenant_id or known.enterprise_id))
        return await self.wallets.GetWallet(request, metadata=known.metadata)

    async def lots(self, known: Known) -> list[tuple[str, str]]:
        """Answers amount and rest of the caller's lots, in the order in which they burn, page by page."""
        found: list[tuple[str, str]] = []
        token = ""
        while True:
            request = pb.ListWalletLotsRequest(
                wallet_id=str(known.enterprise_id), page_size=2, page_token=token
            )
            page = await self.wallets.ListWalletLots(request, metadata=known.metadata)
            found += [(each.amount, each.remaining) for each in page.lots]
            token = page.next_page_token
            if not token:
                return found

    async def ledger(self, tenant_id: UUID) -> dict[str, Decimal]:
        """Answers the balances of the tenant's ledger accounts that are not zero."""
        query = "SELECT ledger_account, balance FROM wrtn_ledger_balances WHERE balance <> 0"
        return dict(await self.rows(tenant_id, query))


@asynccontextmanager
async def purses(
    running: Running[BillingSettings], database: ServiceDatabase, callers: Callers
) -> AsyncIterator[Purses]:
    """Answers a running service with an administrator."""
    admin = callers.member(staff=StaffRight.STAFF_RIGHT_ADMINISTRATOR)
    async with running.channel() as channel:
        yield Purses(running, database, callers, channel, WalletServiceStub(channel), admin)

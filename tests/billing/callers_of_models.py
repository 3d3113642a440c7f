"""Who calls models and pays by card: reservations, and the usages that settle them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from chassis.database import Scope
from chassis.events.envelope import Event
from chassis.testing.callers import Known
from chassis.testing.waiting import until
from services.billing.models import KnownAccount, KnownCurrency, KnownEmployee
from services.billing.wallets import wallets
from tests.billing.paying import Payer, PayWorld
from tests.usage import NEW, NOON, Person, publish, recorded, tokens, usage
from wrtn.access.v1.access_pb2 import TITLE_OWNER
from wrtn.billing.v1 import payments_pb2, spending_pb2, wallets_pb2
from wrtn.billing.v1.spending_pb2_grpc import SpendServiceStub
from wrtn.billing.v1.wallets_pb2_grpc import WalletServiceStub
from wrtn.identity.v1.events_pb2 import AccountOpened

MODEL = "openai/gpt-4.1"
_TOKENS_A_DOLLAR = 500_000


@dataclass
class Caller:
    """An owner who pays by card, and calls models on their account."""

    payer: Payer
    person: Person
    credential: Known
    spends: Any
    wallets: Any

    @property
    def id(self) -> UUID:
        return self.payer.id

    async def bought(self, amount: str) -> payments_pb2.Payment:
        """Buys credits by card."""
        return (await self.payer.pay(None, amount=amount, currency="USD")).payment

    async def given(self, amount: str) -> None:
        """Has credits for nothing."""
        async with self.payer.world.database.app.transaction(Scope.of(self.id)) as tx:
            await wallets.bonus(tx, self.id, Decimal(amount), "USD", reference=f"bonus:{NEW()}")

    async def spend(self, amount: str = "", **more: Any) -> spending_pb2.Reservation:
        """Reserves an amount, or what else is asked for."""
        request = spending_pb2.AuthorizeSpendRequest(
            reservation_id=str(NEW()),
            tenant_id=str(self.id),
            account_id=str(self.person.account_id),
            model=MODEL,
            **{"estimate": spending_pb2.SpendEstimate(amount=amount)} | more,
        )
        return await self.spends.AuthorizeSpend(request, metadata=self.credential.metadata)  # type: ignore[no-any-return]

    async def use(self, dollars: str, reservation: spending_pb2.Reservation | None = None) -> None:
        """Uses input tokens for an amount, and waits until that is rated."""
        runtime = self.payer.world.running.runtime
        used = tokens(int(Decimal(dollars) * _TOKENS_A_DOLLAR), 0, 0)
        message = usage(self.person, used, model=MODEL, at=runtime.clock.now())
        message.reservation_id = reservation.id if reservation is not None else ""
        await publish(runtime.bus, "sessions", [recorded(message)])
        query = "SELECT 1 FROM wrtn_usages WHERE history_id = %s"
        await until(lambda: self.payer.rows(query, UUID(message.history_id)))

    async def wallet(self) -> wallets_pb2.Wallet:
        """Gets the wallet."""
        request = wallets_pb2.GetWalletRequest(wallet_id=str(self.id))
        return await self.wallets.GetWallet(request, metadata=self.payer.owner.metadata)  # type: ignore[no-any-return]


@asynccontextmanager
async def caller(world: PayWorld, *, prepaid: bool = True) -> AsyncIterator[Caller]:
    """An enterprise with a card, known to billing with its owner and their account."""
    payer = await world.payer()
    await payer.card()
    owner = Person(payer.id, account_id=payer.owner.account_id, member_id=payer.owner.member_id)
    whose = {"tenant_id": payer.id, "version": 1}
    employee = {"employee_id": owner.employee_id, "member_id": owner.member_id, "title": TITLE_OWNER}
    account = {"account_id": owner.account_id, "holder_member_id": owner.member_id}
    async with world.database.app.transaction(Scope.of(payer.id)) as tx:
        tx.session.add_all(
            [
                KnownEmployee(**whose, **employee),
                KnownAccount(**whose, **account),
                KnownCurrency(**whose, currency="USD"),
            ]
        )
        await tx.session.flush()
        await wallets.set_prepaid(tx, payer.id, prepaid=prepaid)
    async with _calling(payer, owner) as made:
        yield made


@asynccontextmanager
async def person(world: PayWorld) -> AsyncIterator[Caller]:
    """Whoever holds a personal account, with a card, as identity's event tells of the account."""
    payer = Payer(world, world.callers.member())
    account_id, member_id = payer.owner.account_id, payer.owner.member_id
    opened = AccountOpened(
        account_id=str(account_id), tenant_id=str(account_id), holder_member_id=str(member_id)
    )
    event = Event(NEW(), NOON, account_id, account_id, 1, opened)
    await publish(world.running.runtime.bus, "identity", [event])
    await until(lambda: payer.rows("SELECT 1 FROM wrtn_wallets"))
    await payer.card()
    holder = Person(account_id, account_id=account_id, member_id=member_id, employee_id=None)
    async with _calling(payer, holder) as made:
        yield made


@asynccontextmanager
async def _calling(payer: Payer, holder: Person) -> AsyncIterator[Caller]:
    credential = payer.world.callers.credential("sessions.record", tenant_id=payer.id)
    async with payer.world.running.channel() as channel:
        yield Caller(payer, holder, credential, SpendServiceStub(channel), WalletServiceStub(channel))

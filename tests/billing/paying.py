"""A billing service with cards: Stripe is a process of its own, tenants pay by saved cards or by transfer."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx

from chassis.database import Scope
from chassis.service import Running
from chassis.testing.callers import Callers, Known
from chassis.testing.clocks import MovableClock
from chassis.testing.databases import ServiceDatabase
from chassis.testing.serving import Serve
from services.billing.main import wire
from services.billing.models import Invoice, KnownEnterprise
from services.billing.payments.paying import Paying, paying
from services.billing.settings import BillingSettings
from tests.billing.test_billing_invoicing import open_invoice
from tests.usage import NEW
from wrtn.access.v1.access_pb2 import StaffRight, Title
from wrtn.billing.v1 import payment_methods_pb2, payments_pb2
from wrtn.billing.v1.payment_methods_pb2_grpc import PaymentMethodServiceStub
from wrtn.billing.v1.payment_providers_pb2_grpc import PaymentProviderServiceStub
from wrtn.billing.v1.payments_pb2_grpc import PaymentServiceStub

GOOD = "4242424242424242"
DECLINED = "4000000000000341"
"""It can be saved, and is declined when it is charged."""
CONFIRMED = "4000002500003155"
"""Who pays confirms each payment to their bank."""
SECRET_KEY = "sk_test_CANARY_KEY"
WEBHOOK_SECRET = "whsec_CANARY_SECRET"
State = payments_pb2.Payment.State
_numbers = count(1)


@contextmanager
def stripe_process() -> Iterator[str]:
    """Runs localstripe; answers its URL."""
    command = [sys.executable, "-m", "tests.billing.stripe_process"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
    finally:
        process.kill()
        process.communicate()


@dataclass
class Payer:
    """An enterprise, its owner, and what they pay."""

    world: PayWorld
    owner: Known

    @property
    def id(self) -> UUID:
        return self.owner.enterprise_id

    async def invoice(self, total: str) -> Invoice:
        """An invoice that is to be paid."""
        return await open_invoice(self.world.database, self.id, total, next(_numbers))

    async def card(self, number: str = GOOD) -> payment_methods_pb2.PaymentMethod:
        """Saves a card, as the page of who pays does it."""
        methods, whose = self.world.methods, {"tenant_id": str(self.id)}
        begun = await methods.BeginPaymentMethod(
            payment_methods_pb2.BeginPaymentMethodRequest(**whose), metadata=self.owner.metadata
        )
        await self.world.stripe.confirm(begun.setup_id, begun.client_secret, number)
        request = payment_methods_pb2.CreatePaymentMethodRequest(**whose, setup_id=begun.setup_id)
        return await methods.CreatePaymentMethod(request, metadata=self.owner.metadata)  # type: ignore[no-any-return]

    async def pay(
        self, invoice: Invoice | None = None, by: Known | None = None, **more: Any
    ) -> payments_pb2.CreatePaymentResponse:
        """Pays by card."""
        request = payments_pb2.CreatePaymentRequest(
            tenant_id=str(self.id), invoice_id=str(invoice.id) if invoice is not None else "", **more
        )
        return await self.world.payments.CreatePayment(request, metadata=(by or self.owner).metadata)  # type: ignore[no-any-return]

    async def transfer(
        self, amount: str, invoice: Invoice | None = None, by: Known | None = None, **more: Any
    ) -> payments_pb2.Payment:
        """Has an administrator book a transfer."""
        given = {"currency": "USD", "transaction": str(NEW()), "reason": "seen on the statement"} | more
        request = payments_pb2.BookBankTransferRequest(
            tenant_id=str(self.id),
            invoice_id=str(invoice.id) if invoice is not None else "",
            amount=amount,
            **given,
        )
        return await self.world.payments.BookBankTransfer(request, metadata=(by or self.world.admin).metadata)  # type: ignore[no-any-return]

    async def refund(self, payment: payments_pb2.Payment, amount: str) -> payments_pb2.Refund:
        """Has an administrator give money back."""
        request = payments_pb2.RefundPaymentRequest(
            tenant_id=str(self.id), payment_id=payment.id, amount=amount, reason="they asked"
        )
        return await self.world.payments.RefundPayment(request, metadata=self.world.admin.metadata)  # type: ignore[no-any-return]

    async def read(self, payment: payments_pb2.Payment) -> payments_pb2.Payment:
        """Gets a payment as it stands."""
        request = payments_pb2.GetPaymentRequest(tenant_id=str(self.id), payment_id=payment.id)
        return await self.world.payments.GetPayment(request, metadata=self.owner.metadata)  # type: ignore[no-any-return]

    async def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Reads with the rights of the app."""
        async with self.world.database.app.snapshot(Scope.of(self.id)) as snapshot:
            return await (await (await snapshot.driver()).execute(query, values)).fetchall()

    async def balances(self) -> dict[str, str]:
        """The balances of the ledger that are not zero."""
        rows = await self.rows("SELECT ledger_account, trim_scale(balance)::text FROM wrtn_ledger_balances")
        return {account: balance for account, balance in rows if balance != "0"}


@dataclass
class Stripe:
    """The process that stands for Stripe, as its own pages and people use it."""

    url: str
    client: httpx.AsyncClient = field(
        default_factory=lambda: httpx.AsyncClient(headers={"Authorization": f"Bearer {SECRET_KEY}"})
    )

    async def confirm(self, setup_id: str, secret: str, number: str) -> None:
        """Gives a card to Stripe, as its page does."""
        card = {"number": number, "exp_month": "12", "exp_year": "2040", "cvc": "123"}
        form = {f"payment_method_data[card][{key}]": value for key, value in card.items()}
        form |= {"client_secret": secret, "payment_method_data[type]": "card"}
        path = f"{self.url}/v1/setup_intents/{setup_id}/confirm"
        begun = (await self.client.post(path, data=form)).raise_for_status().json()
        if begun["status"] == "requires_action":
            (await self.client.post(path, data={"client_secret": secret})).raise_for_status()

    async def authenticate(self, intent_id: str, secret: str, *, success: bool = True) -> None:
        """Confirms a payment to the bank, or refuses it."""
        form = {"client_secret": secret, "success": str(success).lower()}
        path = f"payment_intents/{intent_id}/_authenticate"
        (await self.client.post(f"{self.url}/v1/{path}", data=form)).raise_for_status()

    async def faults(self, *kinds: str) -> None:
        """Has the next requests that change something fail so."""
        (await self.client.post(f"{self.url}/_config/faults", json=kinds)).raise_for_status()

    async def dispute(self, **about: Any) -> None:
        """Has a dispute be as it is told here."""
        (await self.client.post(f"{self.url}/_config/disputes", json=about)).raise_for_status()

    async def refunds(self, status: str) -> None:
        """Has all refunds stand so, by Stripe's words."""
        (await self.client.post(f"{self.url}/_config/refunds", json=status)).raise_for_status()

    async def refund(self, intent_id: str, units: int) -> None:
        """Gives money back on Stripe's own pages."""
        form = {"payment_intent": intent_id, "amount": str(units)}
        (await self.client.post(f"{self.url}/v1/refunds", data=form)).raise_for_status()

    async def webhook(self, url: str) -> None:
        """Has events be sent there."""
        data = {"url": url, "secret": WEBHOOK_SECRET}
        (await self.client.post(f"{self.url}/_config/webhooks/w", data=data)).raise_for_status()

    async def list(self, kind: str) -> list[dict[str, Any]]:
        """What Stripe has of a kind."""
        found = await self.client.get(f"{self.url}/v1/{kind}", params={"limit": "100"})
        return found.raise_for_status().json()["data"]  # type: ignore[no-any-return]


@dataclass
class PayWorld:
    """The running service."""

    running: Running[BillingSettings]
    database: ServiceDatabase
    callers: Callers
    clock: MovableClock
    stripe: Stripe
    admin: Known
    payments: Any
    methods: Any
    providers: Any
    replica: Paying
    """The parts of another process over the same database, whose jobs the tests run by their own clock."""

    async def payer(self) -> Payer:
        """A new enterprise, as events tell of it."""
        made = Payer(self, self.callers.employee(NEW(), Title.TITLE_OWNER))
        async with self.database.app.transaction(Scope.of(made.id)) as tx:
            tx.session.add(KnownEnterprise(tenant_id=made.id, time_zone="UTC", version=1))
        return made

    async def collect(self, later: timedelta = timedelta()) -> None:
        """Runs the job that collects, as if it were later."""
        self.clock.ahead = later
        await self.replica.jobs[0].run()


@asynccontextmanager
async def pay_world(
    serve: Serve, database: ServiceDatabase, callers: Callers, url: str, folder: Path
) -> AsyncIterator[PayWorld]:
    """Serves it; Stripe runs at `url`."""
    secrets: dict[str, str] = {"stripe_secret_key": SECRET_KEY, "stripe_webhook_secret": WEBHOOK_SECRET}
    for name, secret in secrets.items():
        (folder / name).write_text(f"{secret}\n")
    running = await serve(
        "billing",
        BillingSettings,
        wire,
        database=database,
        stripe_publishable_key="pk_test_1",
        stripe_url=url,
        stripe_secret_key_file=folder / "stripe_secret_key",
        stripe_webhook_secret_file=folder / "stripe_webhook_secret",
    )
    stripe, admin = Stripe(url), callers.member(staff=StaffRight.STAFF_RIGHT_ADMINISTRATOR)
    async with running.channel() as channel, stripe.client:
        stubs: tuple[Any, ...] = PaymentServiceStub, PaymentMethodServiceStub, PaymentProviderServiceStub
        payments, methods, providers = (stub(channel) for stub in stubs)
        clock = MovableClock()
        replica = paying(replace(running.runtime, clock=clock))
        yield PayWorld(
            running, database, callers, clock, stripe, admin, payments, methods, providers, replica
        )

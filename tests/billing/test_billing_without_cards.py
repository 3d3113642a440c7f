"""Billing where no card provider is set up, or one by half."""

from __future__ import annotations

from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import pytest

from chassis.settings import SettingsError
from chassis.testing.callers import Callers
from chassis.testing.databases import DatabaseFactory
from chassis.testing.serving import Serve
from services.billing.errors import TransferNotCollectable
from services.billing.main import wire
from services.billing.payments.bank_transfers import BankTransfers
from services.billing.settings import BillingSettings
from tests.billing.office import refused
from wrtn.billing.v1 import payment_methods_pb2, payment_providers_pb2, payments_pb2
from wrtn.billing.v1.payment_methods_pb2_grpc import PaymentMethodServiceStub
from wrtn.billing.v1.payment_providers_pb2_grpc import PaymentProviderServiceStub
from wrtn.billing.v1.payments_pb2_grpc import PaymentServiceStub


async def test_without_a_card_provider_the_service_runs_and_says_so(
    database: DatabaseFactory, serve: Serve, callers: Callers
) -> None:
    running = await serve("billing", BillingSettings, wire, database=await database("billing"))
    holder = callers.member()
    whose: dict[str, Any] = {"tenant_id": str(holder.account_id)}
    async with running.channel() as channel:
        payments, methods = PaymentServiceStub(channel), PaymentMethodServiceStub(channel)
        event = payment_providers_pb2.ReceiveStripeEventRequest()
        for call in (
            payments.CreatePayment(
                payments_pb2.CreatePaymentRequest(**whose, amount="5"), metadata=holder.metadata
            ),
            methods.BeginPaymentMethod(
                payment_methods_pb2.BeginPaymentMethodRequest(**whose), metadata=holder.metadata
            ),
            PaymentProviderServiceStub(channel).ReceiveStripeEvent(event),
        ):
            assert (await refused(call))[0] == "CARDS_NOT_SET_UP"
        listed = await methods.ListPaymentMethods(
            payment_methods_pb2.ListPaymentMethodsRequest(**whose), metadata=holder.metadata
        )
        assert not listed.payment_methods


async def test_a_transfer_is_never_collected() -> None:
    with pytest.raises(TransferNotCollectable):
        await BankTransfers().charge(None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"stripe_publishable_key": "pk"}, "WRTN_STRIPE_SECRET_KEY_FILE is not set"),
        ({"stripe_secret_key_file": "absent"}, "WRTN_STRIPE_SECRET_KEY_FILE cannot be read"),
        ({"stripe_secret_key_file": "full"}, "WRTN_STRIPE_WEBHOOK_SECRET_FILE is not set"),
        (
            {"stripe_secret_key_file": "full", "stripe_webhook_secret_file": "empty"},
            "WRTN_STRIPE_WEBHOOK_SECRET_FILE is empty",
        ),
        (
            {"stripe_secret_key_file": "full", "stripe_webhook_secret_file": "full"},
            "WRTN_STRIPE_PUBLISHABLE_KEY is not set",
        ),
    ],
)
def test_a_provider_that_is_set_up_by_half_is_refused(
    tmp_path: Path, more: dict[str, str], problem: str
) -> None:
    (tmp_path / "full").write_text("secret\n")
    (tmp_path / "empty").write_text("\n")
    common: dict[str, Any] = dict.fromkeys(
        each.name for each in fields(BillingSettings) if each.default is MISSING
    )
    given: dict[str, Any] = {
        name: tmp_path / value if name.endswith("_file") else value for name, value in more.items()
    }
    with pytest.raises(SettingsError) as refusal:
        BillingSettings(**common, **given).stripe()
    assert refusal.value.problems == [problem]

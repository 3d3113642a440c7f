"""Puts together what takes payments: with cards where Stripe is set up, else by bank transfer alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from chassis import names
from chassis.jobs import Job
from chassis.outbound import Outbound
from chassis.service import Runtime
from services.billing.payments.bank_transfers import BankTransfers
from services.billing.payments.collecting import Collector
from services.billing.payments.disputes import Disputing
from services.billing.payments.dunning import Dun
from services.billing.payments.providers import PaymentProvider
from services.billing.payments.refunds import Refunding
from services.billing.payments.stripe.api import Api, StripeKeys
from services.billing.payments.stripe.cards import Cards
from services.billing.payments.stripe.saving import Saving
from services.billing.payments.watching_disputes import DisputeWatch
from services.billing.rpc.payment_methods import PaymentMethods
from services.billing.rpc.payment_providers import PaymentProviders
from services.billing.rpc.payments import Payments
from services.billing.settings import BillingSettings
from wrtn.billing.v1.payment_methods_pb2_grpc import add_PaymentMethodServiceServicer_to_server
from wrtn.billing.v1.payment_providers_pb2_grpc import add_PaymentProviderServiceServicer_to_server
from wrtn.billing.v1.payments_pb2 import PAYMENT_PROVIDER_BANK_TRANSFER, PAYMENT_PROVIDER_STRIPE
from wrtn.billing.v1.payments_pb2_grpc import add_PaymentServiceServicer_to_server


@dataclass(frozen=True)
class Paying:
    """The parts of the service that take payments."""

    servicers: Sequence[tuple[Callable[..., None], Any]]
    jobs: Sequence[Job]


def paying(runtime: Runtime[BillingSettings]) -> Paying:
    """Builds them; raises SettingsError where Stripe is set up by half."""
    db, clock = runtime.db, runtime.clock
    keys, schedule = runtime.settings.stripe(), runtime.settings.dunning()
    providers: dict[int, PaymentProvider] = {PAYMENT_PROVIDER_BANK_TRANSFER: BankTransfers()}
    refunding = Refunding(db, providers)
    saving, collector, disputing = None, None, None
    jobs: list[Job] = []
    if keys is not None:
        api = _api(keys)
        cards, saving = Cards(api, clock), Saving(api, keys.publishable_key)
        providers[PAYMENT_PROVIDER_STRIPE] = cards
        collector = Collector(db, runtime.worker, clock, cards, saving, refunding)
        disputing = Disputing(db, cards, schedule)
        watch = DisputeWatch(db, runtime.worker, clock, cards, disputing)
        jobs = [collector.job(), watch.job()]
    dun = Dun(db, runtime.worker, cards=collector is not None, schedule=schedule)
    hearing = PaymentProviders(clock, keys, collector, disputing)
    return Paying(
        servicers=[
            (add_PaymentServiceServicer_to_server, Payments(runtime, collector, refunding)),
            (add_PaymentMethodServiceServicer_to_server, PaymentMethods(runtime, saving)),
            (add_PaymentProviderServiceServicer_to_server, hearing),
        ],
        jobs=[*jobs, dun.job()],
    )


def _api(keys: StripeKeys) -> Api:
    # Its address is ours to choose, so it may lie inside, as that of a proxy does.
    return Api(Outbound(names.resolver(None), inside=True), keys)

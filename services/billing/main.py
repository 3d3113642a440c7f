"""The billing service: `python -m services.billing.main`."""

from __future__ import annotations

from chassis import settings
from chassis.operations import Operations
from chassis.operations.rpc import OperationRpc
from chassis.service import Parts, Runtime, run
from services.billing import organisation, subjects
from services.billing.consumers import Rating
from services.billing.invoices.drafting import Drafter
from services.billing.invoices.invoice_cycle import InvoiceCycle
from services.billing.invoices.team_names import TeamNames
from services.billing.ledger.reconciling import Reconciliation
from services.billing.letters import Postman
from services.billing.payments.paying import paying
from services.billing.plans import plan_presets
from services.billing.pricing.correcting import Correcting
from services.billing.pricing.price_list import PriceList
from services.billing.pricing.price_source import packaged
from services.billing.pricing.prices import import_at_start
from services.billing.rpc.budgets import Budgets
from services.billing.rpc.corrections import CorrectionRpc
from services.billing.rpc.costs import Costs
from services.billing.rpc.increases import Increases
from services.billing.rpc.invoices import Invoices, InvoiceSettings
from services.billing.rpc.plans import Plans
from services.billing.rpc.price_rules import PriceRules
from services.billing.rpc.prices import Prices
from services.billing.rpc.spending import Spends
from services.billing.rpc.subscriptions import Subscriptions
from services.billing.rpc.wallets import Wallets
from services.billing.settings import BillingSettings
from services.billing.spending.expiry import Expiry
from services.billing.spending.spender import Spender
from services.billing.usage.waiting import WaitingUsages
from services.billing.wallets.breakage import Breakage
from services.billing.wallets.top_ups import TopUps
from wrtn.billing.v1.budget_increases_pb2_grpc import add_BudgetIncreaseServiceServicer_to_server
from wrtn.billing.v1.budgets_pb2_grpc import add_BudgetServiceServicer_to_server
from wrtn.billing.v1.corrections_pb2_grpc import add_CorrectionServiceServicer_to_server
from wrtn.billing.v1.costs_pb2_grpc import add_CostServiceServicer_to_server
from wrtn.billing.v1.invoice_settings_pb2_grpc import add_InvoiceSettingsServiceServicer_to_server
from wrtn.billing.v1.invoices_pb2_grpc import add_InvoiceServiceServicer_to_server
from wrtn.billing.v1.operations_pb2_grpc import add_OperationServiceServicer_to_server
from wrtn.billing.v1.plans_pb2_grpc import add_PlanServiceServicer_to_server
from wrtn.billing.v1.price_rules_pb2_grpc import add_PriceRuleServiceServicer_to_server
from wrtn.billing.v1.prices_pb2_grpc import add_PriceServiceServicer_to_server
from wrtn.billing.v1.spending_pb2_grpc import add_SpendServiceServicer_to_server
from wrtn.billing.v1.subscriptions_pb2_grpc import add_SubscriptionServiceServicer_to_server
from wrtn.billing.v1.wallets_pb2_grpc import add_WalletServiceServicer_to_server
from wrtn.subjects.v1.subjects_pb2_grpc import add_DataSubjectServiceServicer_to_server


async def wire(runtime: Runtime[BillingSettings]) -> Parts:
    """Builds the parts. The price list is imported before, so that no usage finds it empty."""
    source = packaged()
    await import_at_start(runtime.db, source)
    await plan_presets.import_at_start(runtime.db)
    known = PriceList(source)
    drafter = Drafter(runtime.keyring, runtime.settings.taxes())
    names = TeamNames(runtime.db, runtime.peers)
    spender = Spender(runtime.db)
    payments = paying(runtime)
    operations = Operations(runtime, Correcting(runtime.worker, runtime.keyring, known).kinds())
    return Parts(
        servicers=[
            (add_CostServiceServicer_to_server, Costs(runtime)),
            (add_PriceServiceServicer_to_server, Prices(runtime, known)),
            (add_CorrectionServiceServicer_to_server, CorrectionRpc(runtime, operations)),
            (add_OperationServiceServicer_to_server, OperationRpc(runtime, operations)),
            (add_PriceRuleServiceServicer_to_server, PriceRules(runtime, known)),
            (add_DataSubjectServiceServicer_to_server, subjects.rpc(runtime)),
            (add_BudgetServiceServicer_to_server, Budgets(runtime)),
            (add_BudgetIncreaseServiceServicer_to_server, Increases(runtime)),
            (add_PlanServiceServicer_to_server, Plans(runtime)),
            (add_SubscriptionServiceServicer_to_server, Subscriptions(runtime)),
            (add_InvoiceServiceServicer_to_server, Invoices(runtime, drafter, names)),
            (add_InvoiceSettingsServiceServicer_to_server, InvoiceSettings(runtime)),
            (add_SpendServiceServicer_to_server, Spends(runtime, known, spender)),
            *payments.servicers,
            (add_WalletServiceServicer_to_server, Wallets(runtime)),
        ],
        consumers=[Rating(known).consumer(), *organisation.CONSUMERS],
        jobs=[
            Expiry(runtime.db, runtime.worker, runtime.bus, runtime.peers).job(),
            Breakage(runtime.db, runtime.worker, runtime.clock).job(),
            InvoiceCycle(runtime.db, runtime.worker, runtime.clock, drafter, names).job(),
            TopUps(runtime.db, runtime.worker).job(),
            Reconciliation(runtime.db, runtime.worker).job(),
            Postman(runtime.db, runtime.worker, runtime.peers).job(),
            WaitingUsages(runtime.worker).job(),
            *payments.jobs,
        ],
        background=[spender, operations],
    )


if __name__ == "__main__":
    run("billing", settings.load(BillingSettings), wire)

"""The tables of billing."""

from services.billing.models.base import Base
from services.billing.models.budgets import Budget, BudgetChange, BudgetNotice, BudgetPeriodRow
from services.billing.models.corrections import (
    Correction,
    CorrectionDifference,
    LateCorrection,
    UsageCorrection,
)
from services.billing.models.dunnings import Dunning, PaymentStanding
from services.billing.models.increases import BudgetExtra, BudgetIncrease
from services.billing.models.invoices import (
    Closing,
    CreditNote,
    CreditNoteLine,
    Invoice,
    InvoiceLine,
    InvoiceSettings,
    LateUsage,
    NumberSeries,
)
from services.billing.models.ledger import Ledger, LedgerBalance, LedgerEntry, Posting
from services.billing.models.letters import Letter
from services.billing.models.organisation import (
    KnownAccount,
    KnownCompanion,
    KnownCurrency,
    KnownDuties,
    KnownEmployee,
    KnownEnterprise,
    KnownTeam,
)
from services.billing.models.payments import Dispute, Payment, PaymentCustomer, PaymentMethod, Refund
from services.billing.models.plans import Plan, PlanVersion, Subscription, SubscriptionPhase
from services.billing.models.prices import Price, UnpricedModel
from services.billing.models.reconciling import BookDifference, CheckedPeriod
from services.billing.models.reservations import Reservation, ReservationState
from services.billing.models.rules import ExchangeRate, PriceRule
from services.billing.models.token_counts import TokenCount, TokenHold
from services.billing.models.usages import CostDay, HolderCostDay, TeamPath, Usage
from services.billing.models.wallets import (
    AccountTenure,
    LotKind,
    Wallet,
    WalletChange,
    WalletHold,
    WalletLot,
    WalletNotice,
)

__all__ = [
    "AccountTenure",
    "Base",
    "BookDifference",
    "Budget",
    "BudgetChange",
    "BudgetExtra",
    "BudgetIncrease",
    "BudgetNotice",
    "BudgetPeriodRow",
    "CheckedPeriod",
    "Closing",
    "Correction",
    "CorrectionDifference",
    "CostDay",
    "CreditNote",
    "CreditNoteLine",
    "Dispute",
    "Dunning",
    "ExchangeRate",
    "HolderCostDay",
    "Invoice",
    "InvoiceLine",
    "InvoiceSettings",
    "KnownAccount",
    "KnownCompanion",
    "KnownCurrency",
    "KnownDuties",
    "KnownEmployee",
    "KnownEnterprise",
    "KnownTeam",
    "LateCorrection",
    "LateUsage",
    "Ledger",
    "LedgerBalance",
    "LedgerEntry",
    "Letter",
    "LotKind",
    "NumberSeries",
    "Payment",
    "PaymentCustomer",
    "PaymentMethod",
    "PaymentStanding",
    "Plan",
    "PlanVersion",
    "Posting",
    "Price",
    "PriceRule",
    "Refund",
    "Reservation",
    "ReservationState",
    "Subscription",
    "SubscriptionPhase",
    "TeamPath",
    "TokenCount",
    "TokenHold",
    "UnpricedModel",
    "Usage",
    "UsageCorrection",
    "Wallet",
    "WalletChange",
    "WalletHold",
    "WalletLot",
    "WalletNotice",
]

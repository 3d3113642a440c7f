"""The plans that come with the service."""

from __future__ import annotations

from uuid import UUID

from chassis.database import Database, Scope
from services.billing.store.plans import insert_plan
from wrtn.billing.v1.plans_pb2 import PlanLimits, PlanPrice, PlanTerms


def _prices(**by_currency: tuple[str, str, str]) -> list[PlanPrice]:
    return [
        PlanPrice(currency=currency, fee=fee, seat_fee=seat_fee, included_credits=included)
        for currency, (fee, seat_fee, included) in by_currency.items()
    ]


PRESETS = {
    "free": (
        UUID("01980000-0000-7000-8000-000000000001"),
        PlanTerms(
            display_name="Free",
            interval=PlanTerms.INTERVAL_MONTH,
            prices=_prices(USD=("0", "0", "5"), EUR=("0", "0", "5"), KRW=("0", "0", "7000")),
            overage_allowed=False,
            limits=PlanLimits(employees=5, teams=3, retention_days=30),
            self_service=True,
        ),
    ),
    "pro": (
        UUID("01980000-0000-7000-8000-000000000002"),
        PlanTerms(
            display_name="Pro",
            interval=PlanTerms.INTERVAL_MONTH,
            prices=_prices(USD=("50", "10", "50"), EUR=("50", "10", "50"), KRW=("70000", "14000", "70000")),
            seats=5,
            overage_allowed=True,
            limits=PlanLimits(employees=500, teams=100, retention_days=365),
            trial_days=14,
            self_service=True,
        ),
    ),
    "enterprise": (
        UUID("01980000-0000-7000-8000-000000000003"),
        PlanTerms(
            display_name="Enterprise",
            interval=PlanTerms.INTERVAL_YEAR,
            prices=_prices(
                USD=("12000", "96", "0"), EUR=("12000", "96", "0"), KRW=("16000000", "130000", "0")
            ),
            seats=100,
            overage_allowed=True,
        ),
    ),
}
"""By key, each with its id. Once there they are plans like any other: administrators revise them."""


async def import_at_start(db: Database) -> None:
    """Adds the presets that are not there yet; the others stay as they were made since."""
    async with db.transaction(Scope()) as tx:
        for key, (plan_id, terms) in PRESETS.items():
            await insert_plan(tx, plan_id, key, terms)

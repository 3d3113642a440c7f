"""The times in which something was subscribed to, from what the subscriptions were."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from uuid import UUID

from chassis.database import Snapshot
from services.billing.models import Subscription, SubscriptionPhase
from services.billing.plans.fees import Stretch
from services.billing.store.plans import Plans
from services.billing.store.subscriptions import Subscriptions
from wrtn.billing.v1.plans_pb2 import PlanTerms
from wrtn.billing.v1.subscriptions_pb2 import Subscription as Wire


async def stretches_of(tx: Snapshot, tenant_id: UUID, end: datetime) -> list[Stretch]:
    """Answers those of a tenant, the last one until `end` if it stands."""
    phases = await Subscriptions(tx, tenant_id).phases()
    terms = await Plans(tx).versions({(phase.plan_id, phase.plan_version) for _, phase in phases})
    ends = [after.start_time for (_, _), (_, after) in pairwise(phases)] + [end]
    return [
        _stretch(row, phase, terms[phase.plan_id, phase.plan_version], until)
        for (row, phase), until in zip(phases, ends, strict=False)
        if phase.state in (Wire.STATE_TRIALING, Wire.STATE_ACTIVE)
    ]


def _stretch(row: Subscription, phase: SubscriptionPhase, terms: PlanTerms, until: datetime) -> Stretch:
    return Stretch(
        phase.start_time,
        until,
        row.start_time,
        terms,
        row.currency,
        phase.seats,
        phase.discount,
        trial=phase.state == Wire.STATE_TRIALING,
    )

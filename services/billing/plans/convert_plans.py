"""Plans and subscriptions to protos."""

from __future__ import annotations

from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from chassis import timestamps
from chassis.decimals import text
from services.billing import models
from services.billing.plans.plans import etag_of
from services.billing.store.plans import Versioned
from wrtn.billing.v1.plans_pb2 import Plan
from wrtn.billing.v1.subscriptions_pb2 import Subscription, SubscriptionPhase


def plan(found: Versioned) -> Plan:
    """Builds a plan in one of its versions."""
    return Plan(
        id=str(found.plan.id),
        key=found.plan.key,
        version=found.version.version,
        terms=found.terms,
        archive_time=_moment(found.plan.archive_time),
        create_time=timestamps.of(found.version.create_time),
        etag=etag_of(found.plan),
    )


def subscription(row: models.Subscription, found: Versioned) -> Subscription:
    """Builds a subscription with its plan."""
    return Subscription(
        id=str(row.id),
        enterprise_id=str(row.tenant_id),
        state=row.state,  # type: ignore[arg-type]
        plan=plan(found),
        seats=row.seats,
        currency=row.currency,
        discount=text(row.discount),
        start_time=timestamps.of(row.start_time),
        trial_end_time=_moment(row.trial_end_time),
        cancel_time=_moment(row.cancel_time),
        etag=str(row.version),
    )


def phase(row: models.SubscriptionPhase) -> SubscriptionPhase:
    """Builds a phase of a subscription."""
    return SubscriptionPhase(
        sequence=row.sequence,
        state=row.state,  # type: ignore[arg-type]
        plan_id=str(row.plan_id),
        plan_version=row.plan_version,
        seats=row.seats,
        discount=text(row.discount),
        start_time=timestamps.of(row.start_time),
    )


def _moment(value: datetime | None) -> Timestamp | None:
    return timestamps.of(value) if value is not None else None

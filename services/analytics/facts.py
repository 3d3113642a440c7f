"""What the rollups count of an event: pure, from event to addition."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

from google.protobuf.timestamp_pb2 import Timestamp

from chassis.database import arrays
from chassis.events.envelope import Event
from wrtn.billing.v1.events_pb2 import UsageRated
from wrtn.sessions.v1.events_pb2 import UsageRecorded
from wrtn.sessions.v1.token_usage_pb2 import Attribution

NOBODY = UUID(int=0)
"""Who held a personal account when versions before this one counted its usage."""
_ZERO = Decimal(0)
# The same accounts and teams come again and again.
_uuid = lru_cache(maxsize=100_000)(UUID)


class UsageMalformed(ValueError):
    """The event cannot be about a usage of its tenant; it goes to the dead letters."""


class Source(IntEnum):
    """What told of a usage: each is counted once for itself."""

    RECORDED = 1
    RATED = 2


class Whose(NamedTuple):
    """Whose usage it is, and where it is counted."""

    tenant_id: UUID
    account_id: UUID
    employee_id: UUID
    """Who held the account: the employee, or the member where it is a personal one."""
    path_id: UUID
    path: str
    """The team and those above it, as an array literal of PostgreSQL."""


class Fact(NamedTuple):
    """What one event adds. Additions commute, so the order of events does not matter."""

    tenant_id: UUID
    account_id: UUID
    employee_id: UUID
    path_id: UUID
    path: str
    history_id: UUID
    model: str
    use_time: datetime
    usage_count: int = 0
    rated_count: int = 0
    input_tokens: int = 0
    cached_input_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    accepted_prediction_tokens: int = 0
    rejected_prediction_tokens: int = 0
    cost: Decimal = _ZERO


def of_recorded(event: Event[UsageRecorded]) -> Fact:
    """Answers the tokens of a usage. Raises ValueError for what cannot be one."""
    message = event.message
    read, written = message.tokens.input, message.tokens.output
    if min(read.total - read.cached, read.cached, written.total, written.reasoning) < 0:
        raise UsageMalformed("the numbers of tokens contradict each other")
    return Fact(
        *_whose(event.tenant_id, message.attribution),
        UUID(message.history_id),
        message.model,
        _moment(message.use_time),
        usage_count=1,
        input_tokens=int(read.total),
        cached_input_tokens=int(read.cached),
        output_tokens=int(written.total),
        reasoning_tokens=int(written.reasoning),
        accepted_prediction_tokens=int(written.accepted_prediction),
        rejected_prediction_tokens=int(written.rejected_prediction),
    )


def of_rated(event: Event[UsageRated]) -> Fact:
    """Answers the cost of a usage. Raises ValueError for what cannot be one."""
    message = event.message
    return Fact(
        *_whose(event.tenant_id, message.attribution),
        UUID(message.history_id),
        message.model,
        _moment(message.use_time),
        rated_count=1,
        cost=_cost(message.cost),
    )


def once_each(facts: Iterable[Fact]) -> list[Fact]:
    """Drops repetitions within a batch; the first of them counts."""
    found: dict[tuple[UUID, UUID], Fact] = {}
    for fact in facts:
        found.setdefault((fact.tenant_id, fact.history_id), fact)
    return list(found.values())


def _whose(tenant_id: UUID | None, attribution: Attribution) -> Whose:
    if tenant_id is None or _uuid(attribution.tenant_id) != tenant_id:
        raise UsageMalformed("the attribution names another tenant than the event")
    team_id = attribution.team_id
    path = (team_id, *attribution.ancestor_team_ids) if team_id else ()
    return Whose(
        tenant_id,
        _uuid(attribution.account_id),
        _uuid(attribution.employee_id or attribution.member_id),
        arrays.path_id(path),
        arrays.of_ids(path),
    )


def _moment(time: Timestamp) -> datetime:
    if not time.seconds:
        raise UsageMalformed("the usage has no time")
    return time.ToDatetime(UTC)


def _cost(text: str) -> Decimal:
    try:
        found = Decimal(text)
    except InvalidOperation as error:
        raise UsageMalformed("the cost is no number") from error
    if not found.is_finite():
        raise UsageMalformed("the cost is no number")
    return found

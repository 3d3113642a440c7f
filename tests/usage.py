"""Usages for the tests of billing and analytics: who used what, and the events that tell of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import TypeVar
from uuid import UUID

from google.protobuf.message import Message

from chassis.clock import Clock
from chassis.events.bus import Bus
from chassis.events.envelope import Event, headers, subject_of
from chassis.events.publisher import Outgoing, Publisher
from chassis.events.streams import ensure_stream
from chassis.testing.callers import Callers, Known
from wrtn.access.v1.access_pb2 import Role, Title
from wrtn.sessions.v1.events_pb2 import UsageRecorded
from wrtn.sessions.v1.token_usage_pb2 import Attribution, TokenUsage, TokenUsageInput, TokenUsageOutput

M = TypeVar("M", bound=Message)
NEW = Clock().new_id
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Person:
    """An employee with an account, in a team or in none."""

    tenant_id: UUID
    path: tuple[UUID, ...] = ()
    """The team and those above it, the nearest first."""
    account_id: UUID = field(default_factory=NEW)
    member_id: UUID = field(default_factory=NEW)
    employee_id: UUID | None = field(default_factory=NEW)

    def attribution(self) -> Attribution:
        """Whose usage it is."""
        return Attribution(
            tenant_id=str(self.tenant_id),
            account_id=str(self.account_id),
            member_id=str(self.member_id),
            employee_id=str(self.employee_id or ""),
            team_id=str(self.path[0]) if self.path else "",
            ancestor_team_ids=[str(team) for team in self.path[1:]],
            title=Title.TITLE_MEMBER,
            role=Role.ROLE_MEMBER,
        )


def freelancer() -> Person:
    """A person with a personal account, which is its own tenant."""
    account = NEW()
    return Person(account, account_id=account, employee_id=None)


def holding(callers: Callers, known: Known, account_id: UUID | None = None, *path: UUID) -> Person:
    """A caller as holder of an account, their own if none is named, in a team with those above it."""
    account = account_id or known.account_id
    return Person(known.enterprise_id, path, account, known.member_id, callers.employee_of(known))


def tokens(read: int = 100, cached: int = 0, written: int = 10, *details: int) -> TokenUsage:
    """Tokens; the details are reasoning, accepted and rejected prediction."""
    reasoning, accepted, rejected = (*details, 0, 0, 0)[:3]
    return TokenUsage(
        total=read + written,
        input=TokenUsageInput(total=read, cached=cached),
        output=TokenUsageOutput(
            total=written, reasoning=reasoning, accepted_prediction=accepted, rejected_prediction=rejected
        ),
    )


def usage(
    person: Person, used: TokenUsage | None = None, *, model: str = "openai/gpt-4.1", at: datetime = NOON
) -> UsageRecorded:
    """Builds the event of one usage."""
    message = UsageRecorded(
        history_id=str(NEW()),
        chat_session_id=str(NEW()),
        model=model,
        tokens=used or tokens(),
        attribution=person.attribution(),
    )
    message.use_time.FromDatetime(at)
    return message


def recorded(message: UsageRecorded, event_id: UUID | None = None) -> Event[UsageRecorded]:
    """The event as a consumer gets it."""
    tenant_id = UUID(message.attribution.tenant_id)
    return Event(event_id or NEW(), NOON, tenant_id, UUID(message.history_id), 1, message)


def shuffled_thrice(events: Iterable[Event[UsageRecorded]], seed: int = 1) -> list[Event[UsageRecorded]]:
    """Every event three times, in any order."""
    found = [event for event in events for _ in range(3)]
    Random(seed).shuffle(found)
    return found


async def publish(bus: Bus, source: str, events: Sequence[Event[M]]) -> None:
    """Puts events into the stream of a service. Each delivery has its own message id, as after a resend."""
    await bus.ready()
    await ensure_stream(bus.jetstream, source)
    outgoing = [
        Outgoing(
            subject_of(type(event.message)),
            headers(
                event.id,
                event.tenant_id,
                subject_of(type(event.message)),
                event.aggregate_id,
                event.version,
                None,
                event.time,
                str(number),
            ),
            event.message.SerializeToString(),
        )
        for number, event in enumerate(events)
    ]
    result = await Publisher(bus).publish(outgoing)
    assert len(result.stored) == len(events)

"""The types of events that webhooks carry: read from the contracts, where each event says so itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache

from google.protobuf.descriptor import FileDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from chassis.events.envelope import subject_of
from services.enterprise.errors import EventTypeUnknown
from wrtn.analytics.v1 import events_pb2 as analytics
from wrtn.billing.v1 import events_pb2 as billing
from wrtn.enterprise.v1 import events_pb2 as enterprise
from wrtn.events.v1 import events_pb2
from wrtn.identity.v1 import events_pb2 as identity
from wrtn.sessions.v1 import events_pb2 as sessions

TEST = "enterprise.webhook.test"
"""The type of a test event. It is sent on request alone, so that no endpoint asks for it."""

_FILES: Mapping[str, FileDescriptor] = {
    "identity": identity.DESCRIPTOR,
    "enterprise": enterprise.DESCRIPTOR,
    "sessions": sessions.DESCRIPTOR,
    "billing": billing.DESCRIPTOR,
    "analytics": analytics.DESCRIPTOR,
}


def type_of(kind: type[Message]) -> str:
    """Answers the public type of an event class: "enterprise.team.created"."""
    service, _, fact = subject_of(kind).removeprefix("wrtn.").partition(".v1.")
    return f"{service}.{fact}"


@cache
def by_service() -> Mapping[str, Sequence[type[Message]]]:
    """Answers the event classes that webhooks carry, by the service that publishes them."""
    return {service: found for service, file in _FILES.items() if (found := _carried(file))}


@cache
def catalogue() -> Mapping[str, type[Message]]:
    """Answers the event class of each type, in alphabetical order."""
    kinds = (kind for found in by_service().values() for kind in found)
    return dict(sorted((type_of(kind), kind) for kind in kinds))


def matches(wanted: Sequence[str], event_type: str) -> bool:
    """Whether an endpoint that asks for these types and wildcards gets this one; it gets all if for none."""
    return not wanted or any(_covers(each, event_type) for each in wanted)


def require_known(wanted: Iterable[str]) -> None:
    """Raises EventTypeUnknown if one of them would never match anything."""
    for each in wanted:
        if not any(_covers(each, known) for known in catalogue()):
            raise EventTypeUnknown(f"No event has the type {each}.", field="endpoint.event_types")


def _covers(pattern: str, event_type: str) -> bool:
    if pattern == "*":
        return True
    return event_type == pattern or (pattern.endswith(".*") and event_type.startswith(pattern[:-1]))


def _carried(file: FileDescriptor) -> list[type[Message]]:
    found = file.message_types_by_name.values()
    return [GetMessageClass(each) for each in found if each.GetOptions().Extensions[events_pb2.webhook]]

"""Ids, moments and numbers of enums, as messages have them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import cast
from uuid import UUID

from google.protobuf.timestamp_pb2 import Timestamp

from chassis import timestamps
from wrtn.access.v1.access_pb2 import Duty, Role, Title


def id_text(value: UUID | None) -> str:
    """Answers the id; an empty text for none."""
    return str(value) if value else ""


def moment(value: datetime | None) -> Timestamp | None:
    """Answers the moment; None leaves the field unset."""
    return timestamps.of(value) if value is not None else None


def title(number: int) -> Title.ValueType:
    """Answers the title."""
    return cast("Title.ValueType", number)


def role(number: int) -> Role.ValueType:
    """Answers the role."""
    return cast("Role.ValueType", number)


def duties(numbers: Sequence[int]) -> list[Duty.ValueType]:
    """Answers the duties."""
    return [cast("Duty.ValueType", number) for number in numbers]

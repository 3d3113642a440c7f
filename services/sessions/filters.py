"""Which sessions a list wants, and in which order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

from google.protobuf.timestamp_pb2 import Timestamp
from sqlalchemy import ColumnElement

from services.sessions.models import Session
from wrtn.sessions.v1.chat_sessions_pb2 import SESSION_ORDER_CREATE_TIME, SESSION_ORDER_LAST_ACTIVITY


@dataclass(frozen=True, slots=True)
class Wanted:
    """The sessions of a tenant that a list wants; what is None does not matter."""

    account_id: UUID | None = None
    team_id: UUID | None = None
    no_team: bool = False
    model: str = ""
    procedure_id: UUID | None = None
    favourite: bool | None = None
    since: datetime | None = None
    before: datetime | None = None
    deleted: bool = False
    by_creation: bool = False
    """The newest first; else the latest activity first."""

    @property
    def time(self) -> ColumnElement[datetime]:
        """The time by which they are ordered, and to which `since` and `before` apply."""
        chosen = Session.create_time if self.by_creation else Session.last_activity_time
        return cast("ColumnElement[datetime]", chosen)

    def conditions(self) -> Iterator[ColumnElement[bool]]:
        """Yields what has to hold of each."""
        if self.deleted:
            yield Session.delete_time.is_not(None)
            yield Session.purge_time.is_(None)
        else:
            yield Session.delete_time.is_(None)
        if self.account_id is not None:
            yield Session.account_id == self.account_id
        if self.no_team:
            yield Session.team_id.is_(None)
        elif self.team_id is not None:
            yield Session.team_id == self.team_id
        if self.model:
            yield Session.model == self.model
        if self.procedure_id is not None:
            yield Session.procedure_id == self.procedure_id
        if self.favourite is not None:
            yield Session.favourite == self.favourite
        if self.since is not None:
            yield self.time >= self.since
        if self.before is not None:
            yield self.time < self.before


def common(request: Any, *, newest_first: bool) -> dict[str, Any]:
    """Reads what every list can be asked for; the order is this one unless another is named."""
    procedure_id = getattr(request, "procedure_id", "")
    order = request.order or (SESSION_ORDER_CREATE_TIME if newest_first else SESSION_ORDER_LAST_ACTIVITY)
    return {
        "model": request.model,
        "procedure_id": UUID(procedure_id) if procedure_id else None,
        "since": _moment(request.start_time) if request.HasField("start_time") else None,
        "before": _moment(request.end_time) if request.HasField("end_time") else None,
        "by_creation": order == SESSION_ORDER_CREATE_TIME,
    }


def _moment(stamp: Timestamp) -> datetime:
    return stamp.ToDatetime(tzinfo=UTC)

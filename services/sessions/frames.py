"""A frame on its way into the database, and what became of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from chassis.errors import DomainError
from services.sessions import content
from services.sessions.attributions import Pinned
from services.sessions.authority import Authority, Place
from services.sessions.bodies import check_json
from services.sessions.errors import ReservationUnused, UnitsInvalid
from services.sessions.usage import NONE_USED, Counts, Units, counts_of, units_of
from wrtn.sessions.v1.recorder_pb2 import Frame


class Recorded(NamedTuple):
    """The frame is durable, now or since an earlier time."""

    sequence: int
    create_time: datetime


NO_RESERVATION = bytes(16)

Outcome = Recorded | DomainError
Settle = Callable[["Pending", Outcome], None]
"""Is called once with a frame and its outcome; it must not fail."""


class Line:
    """The order of one sender's frames: once the fate of one is unknown, no later one is stored."""

    __slots__ = ("broken",)

    def __init__(self) -> None:
        self.broken = False


@dataclass(slots=True, eq=False)
class Pending:
    """A frame that is checked, sealed and ready to be stored."""

    sent_id: str
    """The id as the client wrote it; it is answered the same."""
    id: bytes
    type: str
    sealed: bytes
    model: str
    """The model that the frame names; empty for the session's."""
    counts: Counts | None
    """None if it is no usage; units without tokens are one of none."""
    units: Units | None
    authority: Authority
    place: Place
    """Where it is recorded."""
    pinned: Pinned
    """The attribution at the moment of the append."""
    reservation: bytes
    """The reservation that the usage settles; `NO_RESERVATION` if there is none."""
    files: bytes
    """The ids of the attached files, 16 bytes each, in order."""
    traceparent: str | None
    settle: Settle
    line: Line

    @property
    def body(self) -> str:
        """Decrypts the body again: only a repeated id asks for it."""
        return content.open_body(
            self.authority.key, self.authority.session_text, canonical(self.sent_id), self.sealed
        )


def prepare(
    frame: Frame, authority: Authority, settle: Settle, traceparent: str | None, line: Line
) -> Pending:
    """Checks a validated frame and seals its body.

    Raises BodyInvalid, ReservationUnused, UnitsInvalid, and in a procedure session what its form refuses.
    """
    check_json(frame.body)
    counts, units = _used(frame)
    if frame.reservation_id and counts is None:
        raise ReservationUnused
    if authority.form is not None:
        authority.form.check(frame.body)
    history_id = canonical(frame.id)
    return Pending(
        frame.id,
        _id_bytes(history_id),
        frame.type,
        content.seal_body(authority.key, authority.session_text, history_id, frame.body),
        frame.model,
        counts,
        units,
        authority,
        authority.place,
        authority.pinned,
        _id_bytes(frame.reservation_id) if frame.reservation_id else NO_RESERVATION,
        b"".join(map(_id_bytes, frame.file_ids)) if frame.file_ids else b"",
        traceparent,
        settle,
        line,
    )


def _used(frame: Frame) -> tuple[Counts | None, Units | None]:
    """Reads what the frame used, which billing can only price if it adds up."""
    counts = counts_of(frame.token_usage) if frame.HasField("token_usage") else None
    if not frame.HasField("units"):
        return counts, None
    counts, units = counts or NONE_USED, units_of(frame.units)
    if counts.input_cached + units.cache_write_tokens > counts.input_total:
        raise UnitsInvalid
    return counts, units


def _id_bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace("-", ""))


def canonical(history_id: str) -> str:
    """Answers the id as it reads when it comes back from the database."""
    return history_id.lower()

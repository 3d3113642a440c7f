"""What becomes of each frame of a batch: pure, given what the database knows of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from services.sessions import content
from services.sessions.errors import (
    ConnectionClosed,
    FileNotFound,
    HistoryConflict,
    SessionDeleted,
    SessionNotFound,
)
from services.sessions.frames import Outcome, Pending, Recorded, canonical
from services.sessions.usage import Counts, Units

Key = tuple[bytes, bytes]
"""A tenant's id and the id of a thing of it."""


class SessionState(NamedTuple):
    """A session as locked for this batch."""

    last_sequence: int
    deleted: bool


class Known(NamedTuple):
    """A history that is stored already under an id of the batch."""

    session: bytes
    sequence: int
    create_time: datetime
    type: str
    sealed: bytes
    model: str
    reservation: bytes
    files: bytes
    counts: Counts | None
    units: Units | None


@dataclass(slots=True)
class Growth:
    """What a batch adds to one session."""

    last_sequence: int
    counts: list[int] = field(default_factory=lambda: [0] * len(Counts._fields))


@dataclass(slots=True)
class Plan:
    """The decision on a batch: an outcome a frame, in order, and what is to be written."""

    outcomes: list[Outcome] = field(default_factory=list)
    new: list[tuple[Pending, int]] = field(default_factory=list)
    """The frames to insert, with their sequences."""
    growth: dict[Key, Growth] = field(default_factory=dict)


def decide(
    batch: Sequence[Pending],
    sessions: Mapping[Key, SessionState],
    closed: Collection[Key],
    known: Mapping[Key, Known],
    files: Mapping[Key, bytes],
    now: datetime,
) -> Plan:
    """Decides on each frame in the order they came; equal ids within the batch count as resent.

    `files` are the sessions of the files that are ready.

    A frame that is stored already is acked even if its connection or session has ended since: it is
    what happened.
    """
    plan = Plan()
    placed: dict[Key, tuple[Pending, Recorded]] = {}
    for frame in batch:
        place = frame.place
        key = (place.tenant, frame.id)
        if key in known:
            outcome = _judge_known(frame, known[key])
        elif key in placed:
            outcome = _judge_twin(frame, *placed[key])
        else:
            outcome = _refusal(frame, sessions, closed, files) or _place(frame, plan, sessions, now)
            if isinstance(outcome, Recorded):
                placed[key] = frame, outcome
        plan.outcomes.append(outcome)
    return plan


def _refusal(
    frame: Pending,
    sessions: Mapping[Key, SessionState],
    closed: Collection[Key],
    files: Mapping[Key, bytes],
) -> Outcome | None:
    place = frame.place
    session = sessions.get((place.tenant, place.session))
    if session is None:
        return SessionNotFound()
    if session.deleted:
        return SessionDeleted()
    if (place.tenant, place.connection) in closed:
        return ConnectionClosed()
    if frame.files and any(files.get((place.tenant, each)) != place.session for each in attached(frame)):
        return FileNotFound()
    return None


def attached(frame: Pending) -> list[bytes]:
    """Answers the ids of the files that are attached to the frame."""
    return [frame.files[start : start + 16] for start in range(0, len(frame.files), 16)]


def _place(frame: Pending, plan: Plan, sessions: Mapping[Key, SessionState], now: datetime) -> Recorded:
    """Gives the frame the next place in its session."""
    key = (frame.place.tenant, frame.place.session)
    grown = plan.growth.get(key)
    if grown is None:
        grown = plan.growth[key] = Growth(sessions[key].last_sequence)
    grown.last_sequence += 1
    if frame.counts is not None:
        sums = grown.counts
        for index, count in enumerate(frame.counts):
            sums[index] += count
    plan.new.append((frame, grown.last_sequence))
    return Recorded(grown.last_sequence, now)


def _judge_known(frame: Pending, known: Known) -> Outcome:
    same = (
        known.session == frame.place.session
        and _attributes(known) == _attributes(frame)
        and _body(frame, known) == frame.body
    )
    return Recorded(known.sequence, known.create_time) if same else HistoryConflict()


def _judge_twin(frame: Pending, first: Pending, recorded: Recorded) -> Outcome:
    same = (
        first.place.session == frame.place.session
        and _attributes(first) == _attributes(frame)
        and first.body == frame.body
    )
    return recorded if same else HistoryConflict()


def _attributes(of: Pending | Known) -> tuple[object, ...]:
    """Answers what makes two frames of the same id differ, but for their bodies."""
    return of.type, of.model, of.counts, of.units, of.reservation, of.files


def _body(frame: Pending, known: Known) -> str:
    authority = frame.authority
    return content.open_body(authority.key, authority.session_text, canonical(frame.sent_id), known.sealed)

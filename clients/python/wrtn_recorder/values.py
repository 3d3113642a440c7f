"""What a recording is told, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from wrtn.sessions.v1.recorder_pb2 import Control, Opened

from .errors import Broken, RecordingEnded

Event = Opened | Control | Broken | RecordingEnded
"""What happens to a recording: a stream opens, the service tells something, a stream is lost and will be
resumed, and, once, the end."""


@dataclass(frozen=True, slots=True)
class Opening:
    """By whose right a connection opens, and what is known of its client."""

    ticket: str
    """From `POST /v1/chatSessions/{id}:connect`, or `procedureSessions`: single use, 60 seconds."""
    client: str = ""
    """What the client says it is, for example its browser's name."""
    address: str = ""
    """The client's address."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The bounds of a recording; times in seconds."""

    most_pending: int = 1000
    """How many frames may wait for their acknowledgement."""
    patience: float = 120.0
    """How long it tries to reach the service again before it gives up."""
    silence: float = 30.0
    """How long a stream may say nothing while frames wait, before it is taken for broken."""


class Stored(NamedTuple):
    """A history is durable."""

    id: str
    sequence: int
    """Its place in the session, from 1."""
    create_time: datetime

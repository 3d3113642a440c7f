"""The settings of sessions."""

from __future__ import annotations

from dataclasses import dataclass

from chassis.settings import ServiceSettings


@dataclass(frozen=True, kw_only=True)
class SessionsSettings(ServiceSettings):
    """What sessions reads besides the settings of every service."""

    blob_url: str
    """Where files are kept: file:///folder, s3://bucket/path, or what else obstore knows."""
    file_most_bytes: int = 100 * 1024 * 1024
    """The largest file that is taken."""
    recorder_lanes: int = 1
    """Group commits under way at once. Sessions are divided over them, so that each keeps its order."""
    recorder_queue: int = 10_000
    """Frames that may wait to be stored; then unary appends are refused and streams are read no further."""
    ack_window: int = 512
    """Frames of one stream that may be read and not answered yet."""
    unread_seconds: float = 30
    """How long a client may leave unread what it is sent, before its stream is ended."""
    heartbeat_seconds: float = 5
    """How often a process says that it is alive."""
    idle_seconds: float = 3600
    """How long nothing may be recorded over a connection without a stream, before it ends."""
    dead_seconds: float = 30
    """How long a process may be silent before its connections count as broken."""

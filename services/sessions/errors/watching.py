"""Refusals of a live view."""

from __future__ import annotations

from chassis.errors import ResourceExhausted


class WatchUnread(ResourceExhausted):
    """The watcher did not read what it was sent for too long, or not as fast as it was written."""

    reason = "WATCH_UNREAD"

    def __init__(self) -> None:
        super().__init__("What was sent was not read; watch again after the last sequence that came.")


class TooManyWatches(ResourceExhausted):
    """The member watches as much over this server as one member may."""

    reason = "TOO_MANY_WATCHES"

    def __init__(self) -> None:
        super().__init__("Too many sessions are watched at once; end some of them first.")

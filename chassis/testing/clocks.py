"""Clocks for tests."""

from __future__ import annotations

from datetime import datetime, timedelta

from chassis.clock import Clock


class MovableClock(Clock):
    """The real clock, `ahead` of time."""

    def __init__(self) -> None:
        super().__init__()
        self.ahead = timedelta()

    def now(self) -> datetime:
        """Answers the moved time."""
        return super().now() + self.ahead

"""Moments as they stand on the wire."""

from __future__ import annotations

from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp


def of(moment: datetime) -> Timestamp:
    """Answers the moment, to the microsecond. One without a time zone counts as UTC."""
    found = Timestamp()
    found.FromDatetime(moment)
    return found

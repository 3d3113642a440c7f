"""What the servicers share in reading a request."""

from __future__ import annotations

from typing import TypeVar

T = TypeVar("T")


def sure(value: T | None) -> T:
    """Answers what the access rule of the method has made sure of; its absence is a defect."""
    if value is None:
        raise LookupError("the access rule admitted a caller without what it promises")
    return value

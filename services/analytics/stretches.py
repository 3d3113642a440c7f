"""Time cut into pieces: the buckets that a query shows, and the ready sums of which each is made."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from datetime import time as time_of_day
from enum import Enum, IntEnum
from typing import NamedTuple

QUARTER = timedelta(minutes=15)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Grain(IntEnum):
    """The stretches for which sums stand ready, all aligned to 1970 in UTC.

    Every time zone's hours and days begin at a quarter of an hour; the longer ones save reading.
    """

    QUARTER = 0
    THREE_HOURS = 1
    DAY = 2

    @property
    def length(self) -> timedelta:
        """How long a stretch is."""
        return _LENGTHS[self]


_LENGTHS = {
    Grain.QUARTER: QUARTER,
    Grain.THREE_HOURS: timedelta(hours=3),
    Grain.DAY: timedelta(days=1),
}


class Division(Enum):
    """How finely a query divides time."""

    WHOLE = "whole"
    HOUR = "hour"
    DAY = "day"


class Bucket(NamedTuple):
    """A piece of time that is answered as one row: where it begins, and which part of it is asked for."""

    begin: datetime
    start: datetime
    end: datetime


class Stretch(NamedTuple):
    """A part of a bucket that the sums of one grain cover exactly."""

    bucket: int
    grain: Grain
    start: datetime
    end: datetime


def floor(moment: datetime, length: timedelta = QUARTER) -> datetime:
    """Rounds down to a multiple of `length` since 1970."""
    return moment - (moment - _EPOCH) % length


def ceiling(moment: datetime, length: timedelta = QUARTER) -> datetime:
    """Rounds up to a multiple of `length` since 1970."""
    return moment + (_EPOCH - moment) % length


def buckets(start: datetime, end: datetime, division: Division, zone: tzinfo) -> Iterator[Bucket]:
    """Cuts the time at the zone's hours or midnights; at its ends there may be parts of a bucket.

    On the days of a clock change a day has 23 or 25 hours (or what the zone does), and an hour that
    comes twice is two buckets.
    """
    if division is Division.WHOLE:
        yield Bucket(start, start, end)
        return
    first_of = _hour if division is Division.HOUR else _midnight
    begin = first_of(start, zone)
    while start < end:
        following = _following(start, division, zone)
        yield Bucket(begin, start, min(following, end))
        begin = start = following


def stretches(bucket: int, start: datetime, end: datetime) -> Iterator[Stretch]:
    """Covers the time with as few sums as the grains allow: long ones inside, short ones at the ends."""
    yield from _cover(bucket, start, end, Grain.DAY)


def _cover(bucket: int, start: datetime, end: datetime, grain: Grain) -> Iterator[Stretch]:
    first, last = ceiling(start, grain.length), floor(end, grain.length)
    if first >= last:
        if grain:
            yield from _cover(bucket, start, end, Grain(grain - 1))
        return
    if start < first:
        yield from _cover(bucket, start, first, Grain(grain - 1))
    yield Stretch(bucket, grain, first, last)
    if last < end:
        yield from _cover(bucket, last, end, Grain(grain - 1))


def _hour(moment: datetime, zone: tzinfo) -> datetime:
    """Answers when the zone's hour began in which the moment lies."""
    local = moment.astimezone(zone)
    return floor(
        moment - timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
    )


def _midnight(moment: datetime, zone: tzinfo) -> datetime:
    """Answers when the zone's day began in which the moment lies."""
    return _at_midnight(moment.astimezone(zone), zone)


def _following(moment: datetime, division: Division, zone: tzinfo) -> datetime:
    """Answers when the next bucket begins after this moment."""
    if division is Division.HOUR:
        local = moment.astimezone(zone)
        rest = timedelta(hours=1) - timedelta(minutes=local.minute, seconds=local.second)
        return max(floor(moment + rest), moment + QUARTER)
    day = moment.astimezone(zone) + timedelta(days=1)
    if (following := _at_midnight(day, zone)) > moment:
        return following
    # The zone leaves the next day out, which so has no length (Samoa had no 30 December 2011).
    return _at_midnight(day + timedelta(days=1), zone)


def _at_midnight(local: datetime, zone: tzinfo) -> datetime:
    """Answers the first moment of the local day, also where clocks skip midnight."""
    return floor(datetime.combine(local.date(), time_of_day(), zone).astimezone(UTC))

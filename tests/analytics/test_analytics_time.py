"""Time cut into buckets and stretches, across zones and clock changes; and what a query may ask for."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from services.analytics.asking import LONGEST, read
from services.analytics.errors import TimeRangeInvalid, TimeZoneUnknown
from services.analytics.stretches import QUARTER, Division, Grain, buckets, ceiling, floor, stretches
from tests.analytics.make import day
from wrtn.analytics.v1 import usage_pb2
from wrtn.analytics.v1.usage_pb2 import GRANULARITY_DAY, GRANULARITY_HOUR, QueryUsageRequest

MOMENTS = st.datetimes(datetime(1972, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
SPANS = st.integers(1, 96 * 40).map(lambda quarters: quarters * QUARTER)
ZONES = st.sampled_from(sorted(available_timezones())).map(ZoneInfo)


@given(MOMENTS, SPANS, st.sampled_from(Division), ZONES)
def test_buckets_follow_each_other_without_gap(
    at: datetime, span: timedelta, division: Division, zone: ZoneInfo
) -> None:
    start = floor(at)
    found = list(buckets(start, start + span, division, zone))
    assert found[0].begin <= start == found[0].start
    assert found[-1].end == start + span
    assert all(one.end == other.start == other.begin for one, other in itertools.pairwise(found))
    assert all(one.start < one.end for one in found)


@given(MOMENTS, SPANS)
def test_stretches_cover_a_time_exactly_and_in_order(at: datetime, span: timedelta) -> None:
    start = floor(at)
    found = list(stretches(0, start, start + span))
    assert found[0].start == start
    assert found[-1].end == start + span
    assert all(one.end == other.start for one, other in itertools.pairwise(found))
    assert all(floor(each.start, each.grain.length) == each.start for each in found)
    assert all(floor(each.end, each.grain.length) == each.end for each in found)
    assert len(found) <= 2 * len(Grain) - 1


def test_a_month_in_seoul_needs_no_single_quarter() -> None:
    seoul = ZoneInfo("Asia/Seoul")
    start = datetime(2026, 11, 1, tzinfo=seoul).astimezone(UTC)
    found = buckets(start, start + timedelta(days=30), Division.DAY, seoul)
    grains = {each.grain for bucket in found for each in stretches(0, bucket.start, bucket.end)}
    assert grains == {Grain.THREE_HOURS}


@pytest.mark.parametrize(
    ("zone", "date", "hours"),
    [
        ("Europe/Berlin", (2026, 3, 29), 23),
        ("Europe/Berlin", (2026, 10, 25), 25),
        ("America/Sao_Paulo", (2018, 11, 4), 23),  # midnight itself is skipped
        ("America/Havana", (2026, 11, 1), 25),  # midnight comes twice
        ("Australia/Lord_Howe", (2026, 4, 5), 24.5),
        ("Asia/Kathmandu", (2026, 4, 5), 24),
    ],
)
def test_a_day_is_as_long_as_its_zone_makes_it(zone: str, date: tuple[int, int, int], hours: float) -> None:
    noon = datetime(*date, 12, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    found = buckets(noon - timedelta(days=2), noon + timedelta(days=2), Division.DAY, ZoneInfo(zone))
    (of_date,) = [each for each in found if each.start <= noon < each.end]
    assert of_date.end - of_date.begin == timedelta(hours=hours)
    assert of_date.begin.astimezone(ZoneInfo(zone)).date() == datetime(*date).date()  # noqa: DTZ001


def test_an_hour_that_comes_twice_is_two_buckets() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    start = datetime(2026, 10, 24, 22, tzinfo=UTC)
    found = list(buckets(start, start + timedelta(hours=25), Division.HOUR, berlin))
    assert len(found) == 25
    assert [each.begin.astimezone(berlin).hour for each in found[:5]] == [0, 1, 2, 2, 3]


def test_a_day_that_a_zone_left_out_is_no_bucket() -> None:
    apia = ZoneInfo("Pacific/Apia")
    start = datetime(2011, 12, 28, tzinfo=apia).astimezone(UTC)
    found = buckets(start, start + timedelta(days=4), Division.DAY, apia)
    assert [each.begin.astimezone(apia).day for each in found] == [28, 29, 31, 1]


def test_hours_begin_where_the_zone_begins_them() -> None:
    (first, *_) = buckets(day(5, 10, 0), day(5, 12), Division.HOUR, ZoneInfo("Asia/Kolkata"))
    assert (first.begin, first.end) == (day(5, 9, 30), day(5, 10, 30))


def request(
    start: datetime | None = None, end: datetime | None = None, **fields: object
) -> QueryUsageRequest:
    """A request with these times."""
    found = QueryUsageRequest(**fields)  # type: ignore[arg-type]
    if start:
        found.start_time.FromDatetime(start)
    if end:
        found.end_time.FromDatetime(end)
    return found


def test_times_are_rounded_outward_to_quarters_of_an_hour() -> None:
    asked = read(request(day(5, 10, 14), day(5, 10, 16)), day(20))
    assert (asked.start, asked.end) == (day(5, 10), day(5, 10, 30))
    assert ceiling(day(5, 10)) == day(5, 10)


def test_the_last_30_days_are_asked_for_by_default() -> None:
    asked = read(request(), day(20, 10, 1))
    assert (asked.start, asked.end) == (day(20, 10) - timedelta(days=30), day(20, 10, 15))


@pytest.mark.parametrize("granularity", [GRANULARITY_HOUR, GRANULARITY_DAY, 0])
def test_a_time_too_long_for_its_division_is_refused(granularity: usage_pb2.Granularity.ValueType) -> None:
    most = max(LONGEST.values()) if not granularity else LONGEST[list(Division)[granularity]]
    read(request(day(20) - most, day(20), granularity=granularity), day(20))
    with pytest.raises(TimeRangeInvalid, match="days long"):
        read(request(day(20) - most - QUARTER, day(20), granularity=granularity), day(20))


@pytest.mark.parametrize(("start", "end"), [(day(5), day(5)), (day(6), day(5)), (day(28), None)])
def test_an_end_that_is_not_after_the_start_is_refused(start: datetime, end: datetime | None) -> None:
    with pytest.raises(TimeRangeInvalid, match="after the start"):
        read(request(start, end), day(20))


@pytest.mark.parametrize("seconds", [-(10**12), -62135596800, 253402300799, 10**15])
def test_times_beyond_the_calendar_are_refused(seconds: int) -> None:
    with pytest.raises(TimeRangeInvalid, match="between the years"):
        read(QueryUsageRequest(end_time=Timestamp(seconds=seconds)), day(20))
    with pytest.raises(TimeRangeInvalid, match="between the years"):
        read(QueryUsageRequest(start_time=Timestamp(seconds=seconds)), day(20))


@pytest.mark.parametrize(
    "name", ["Mars/Olympus", "../../etc/passwd", "UTC\0", "posixrules", "Europe", "utc+3"]
)
def test_a_time_zone_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(TimeZoneUnknown):
        read(request(time_zone=name), day(20))

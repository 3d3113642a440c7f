"""Array literals: what goes in comes out, whatever characters it has."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chassis.database import arrays
from chassis.database.roles import connect
from chassis.embedded.postgres import Postgres

TEXTS = st.none() | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
NUMBERS = st.none() | st.integers(-(2**63), 2**63 - 1)
DECIMALS = st.none() | st.decimals(
    allow_nan=False, allow_infinity=False, places=30, min_value=-(10**9), max_value=10**9
)
MOMENTS = st.none() | st.datetimes(datetime(1970, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
ROWS = st.lists(st.tuples(TEXTS, NUMBERS, DECIMALS, MOMENTS, st.none() | st.uuids()), min_size=1)
Row = tuple[str | None, int | None, Decimal | None, datetime | None, UUID | None]
ONE, TWO = UUID(int=1), UUID(int=2)

QUERY = """SELECT * FROM unnest(%(text)s::text[], %(number)s::bigint[], %(decimal)s::numeric[],
    %(moment)s::timestamptz[], %(id)s::uuid[])"""


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(ROWS)
def test_rows_come_back_from_unnest_as_they_went_in(postgres: Postgres, rows: list[Row]) -> None:
    with connect(postgres.url()) as connection:
        connection.execute("SET timezone = 'UTC'")
        values = arrays.by_column(("text", "number", "decimal", "moment", "id"), rows)
        assert connection.execute(QUERY, values).fetchall() == rows


def test_a_text_cannot_break_out_of_its_element(postgres: Postgres) -> None:
    evil = ['","', "}", '\\"', "NULL", "{1,2}", " a ", "", "\\", '"; DROP TABLE x; --']
    with connect(postgres.url()) as connection:
        found = connection.execute("SELECT unnest(%s::text[])", (arrays.literal(evil),)).fetchall()
    assert [row[0] for row in found] == evil


@given(st.lists(st.uuids()))
def test_ids_stand_in_their_usual_form_however_they_were_written(ids: list[UUID]) -> None:
    usual = "{" + ",".join(map(str, ids)) + "}"
    assert arrays.of_ids(tuple(map(str, ids))) == usual
    assert arrays.of_ids(tuple(each.hex.upper() for each in ids)) == usual


@pytest.mark.parametrize("function", [arrays.of_ids, arrays.path_id])
def test_what_is_no_id_gets_into_no_list_of_ids(function: Callable[[tuple[str, ...]], object]) -> None:
    with pytest.raises(ValueError, match="badly formed"):
        function((str(ONE), "},{"))


def test_a_path_has_one_id_and_another_order_or_length_has_another() -> None:
    one, two = str(ONE), str(TWO)
    paths: list[tuple[str, ...]] = [(), (one,), (two,), (one, two), (two, one), (one, one)]
    assert len({arrays.path_id(path) for path in paths}) == len(paths)
    # Stored rows hold these ids: they never change.
    assert arrays.path_id((one, two)) == UUID("20cde25c-b64c-b838-cf66-70ba6a775034")
    assert arrays.path_id((one.upper(), two)) == arrays.path_id((one, two))

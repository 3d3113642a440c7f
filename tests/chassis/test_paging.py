"""Page tokens go on where the page before ended, and fit no other query."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.errors import InvalidArgument
from chassis.paging import Page, PageTokenInvalid, time_and_id
from tests.chassis.playing import pb

ROWS = [f"{number:03}" for number in range(120)]


def listed(page: Page) -> list[str]:
    """What a store answers: one more than the page holds."""
    after = page.cursor[0] if page.cursor else ""
    return [row for row in ROWS if row > after][: page.size + 1]


def test_pages_follow_each_other_to_the_end() -> None:
    seen: list[str] = []
    request = pb.Text(text="a", page_size=50)
    while True:
        page = Page.of(request)
        items, request.page_token = page.cut(listed(page), key=lambda row: (row,))
        seen += items
        if not request.page_token:
            break
    assert seen == ROWS


@pytest.mark.parametrize(("asked", "given"), [(0, 50), (7, 7), (200, 200), (10_000, 200)])
def test_the_size_has_a_default_and_a_bound(asked: int, given: int) -> None:
    assert Page.of(pb.Text(page_size=asked)).size == given


def test_a_negative_size_is_refused() -> None:
    with pytest.raises(InvalidArgument) as caught:
        Page.of(pb.Text(page_size=-1))
    assert caught.value.field == "page_size"


def token(request: Any) -> str:
    """The token of the page after this request's."""
    page = Page.of(request)
    return str(page.cut(ROWS, key=lambda row: (row, "é"))[1])


def test_a_token_keeps_its_cursor_and_lets_the_size_change() -> None:
    found = token(pb.Text(text="a", page_size=10))
    assert Page.of(pb.Text(text="a", page_size=20, page_token=found)).cursor == ("009", "é")


def test_a_token_of_another_query_is_refused() -> None:
    with pytest.raises(PageTokenInvalid):
        Page.of(pb.Text(text="b", page_token=token(pb.Text(text="a"))))


@settings(max_examples=200, deadline=None)
@given(st.text(min_size=1) | st.binary(min_size=1).map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_a_garbled_token_is_refused(text: str) -> None:
    request = pb.Text(text="a", page_token="x")
    try:
        request.page_token = text
    except ValueError:
        return
    with pytest.raises(PageTokenInvalid):
        Page.of(request)


def test_the_key_of_a_page_is_read_from_its_parts() -> None:
    assert Page(9, None, b"").after(int) is None
    assert Page(9, ("7",), b"").after(int) == 7
    moment, row_id = datetime(2026, 1, 2, tzinfo=UTC), UUID(int=3)
    assert Page(9, (moment.isoformat(), str(row_id)), b"").after(time_and_id) == (moment, row_id)


@pytest.mark.parametrize(
    "cursor", [(), ("x",), ("2026-01-02", "x"), ("2026-01-02", str(UUID(int=3)), "more")]
)
def test_a_key_with_other_parts_is_refused(cursor: tuple[str, ...]) -> None:
    with pytest.raises(PageTokenInvalid):
        Page(9, cursor, b"").after(time_and_id)


def test_a_token_with_another_cursor_inside_is_refused() -> None:
    good = base64.urlsafe_b64decode(token(pb.Text(text="a")) + "==")
    for cursor in (b"{}", b"[1]", b'"x"', b"", b"[" * 100_000):
        bad = base64.urlsafe_b64encode(good[:12] + cursor).rstrip(b"=").decode()
        with pytest.raises(PageTokenInvalid):
            Page.of(pb.Text(text="a", page_token=bad))

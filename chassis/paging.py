"""Pages of a list, after Google's AIP-158: opaque tokens that are bound to the request's other fields."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, TypeVar
from uuid import UUID

from google.protobuf.message import Message

from chassis.errors import InvalidArgument

T = TypeVar("T")
Key = TypeVar("Key")

_DIGEST = 12
"""Bytes of the request's hash in a token. It finds mistakes; rights are checked on every page anyway."""


class PageTokenInvalid(InvalidArgument):
    """The token is garbled, or came from another query."""

    reason = "PAGE_TOKEN_INVALID"

    def __init__(self) -> None:
        super().__init__("The page token belongs to another query.", field="page_token")


@dataclass(frozen=True, slots=True)
class Page:
    """The page that a request asks for: at most `size` items after `cursor`, the key of the last one seen.

    Ask the store for `size + 1` rows and give them to `cut`.
    """

    size: int
    cursor: tuple[str, ...] | None
    _query: bytes

    @classmethod
    def of(cls, request: Any, *, default: int = 50, most: int = 200) -> Page:
        """Reads `page_size` and `page_token`; raises InvalidArgument for a negative size or foreign token."""
        if request.page_size < 0:
            raise InvalidArgument("The page size is negative.", field="page_size")
        query = _digest(request)
        cursor = _read(request.page_token, query) if request.page_token else None
        return cls(min(request.page_size or default, most), cursor, query)

    def after(self, read: Callable[..., Key]) -> Key | None:
        """Answers the key of the last item seen, which `read` makes of its parts; None on the first page.

        Raises PageTokenInvalid for parts that `read` does not take, by their number or by what they say: such
        a token is none of ours.
        """
        if self.cursor is None:
            return None
        try:
            return read(*self.cursor)
        except (TypeError, ValueError) as error:
            raise PageTokenInvalid from error

    def cut(self, rows: Sequence[T], key: Callable[[T], tuple[str, ...]]) -> tuple[Sequence[T], str]:
        """Answers the rows of this page, and the token of the next one; empty on the last."""
        if len(rows) <= self.size:
            return rows, ""
        items = rows[: self.size]
        cursor = json.dumps(key(items[-1]), separators=(",", ":")).encode()
        return items, base64.urlsafe_b64encode(self._query + cursor).rstrip(b"=").decode()


def time_and_id(moment: str, row_id: str) -> tuple[datetime, UUID]:
    """Reads the key of a list that is ordered by time; raises ValueError."""
    return datetime.fromisoformat(moment), UUID(row_id)


def _digest(request: Message) -> bytes:
    """Hashes the request without its paging, and its type."""
    rest = type(request)()
    rest.CopyFrom(request)
    rest.ClearField("page_size")
    rest.ClearField("page_token")
    name = request.DESCRIPTOR.full_name.encode()
    return sha256(name + b"\0" + rest.SerializeToString(deterministic=True)).digest()[:_DIGEST]


def _read(token: str, query: bytes) -> tuple[str, ...]:
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        cursor = json.loads(raw[_DIGEST:])
    except (ValueError, RecursionError) as error:
        raise PageTokenInvalid from error
    if (
        raw[:_DIGEST] != query
        or not isinstance(cursor, list)
        or not cursor
        or not all(isinstance(part, str) for part in cursor)
    ):
        raise PageTokenInvalid
    return tuple(cursor)

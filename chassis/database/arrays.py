"""Rows as one array a column, for `unnest`: the way to hand many rows to one statement.

psycopg adapts lists element by element, which for thousands of rows takes longer than the statement;
literals in PostgreSQL's own array syntax take a fifth of that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import Cast, Select, Text, Uuid, cast, func, select
from sqlalchemy import literal as bound
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import TypeEngine


def by_column(names: Sequence[str], rows: Iterable[Sequence[object]]) -> dict[str, str]:
    """Answers an array literal for each column, by its name: `unnest(%(name)s::uuid[], ...)`.

    For texts, and for whatever PostgreSQL reads as Python writes it: UUID, int, Decimal, datetime, None.
    """
    columns: Iterable[Sequence[object]] = zip(*rows, strict=True)
    return {name: literal(column) for name, column in zip(names, columns, strict=True)}


_PLAIN = frozenset((int, Decimal, datetime))
"""What is written as Python writes it, without a look at each element."""
_IDS = frozenset((UUID,))


def literal(values: Iterable[object]) -> str:
    """Answers the values as a PostgreSQL array literal."""
    found = tuple(values)
    kinds = set(map(type, found))
    if kinds == _IDS:
        # Without hyphens PostgreSQL reads an id as well, and Python writes it in a fifth of the time.
        return f"{{{','.join([each.hex for each in found])}}}"  # type: ignore[attr-defined]
    element = str if _PLAIN.issuperset(kinds) else _element
    return f"{{{','.join(map(element, found))}}}"


@lru_cache(maxsize=10_000)
def again(values: tuple[object, ...]) -> str:
    """Answers the values as `literal` does. Remembered, for what comes again and again, row by row."""
    return literal(values)


def parameter(values: Iterable[object], of: TypeEngine[Any]) -> Cast[Any]:
    """Answers the values as one parameter of a query: `column == any_(parameter(ids, Uuid()))`.

    An IN with a list has a parameter a value: with hundreds, the statement takes longer to write than to run.
    """
    return cast(bound(literal(values), Text), ARRAY(of))


def id_pairs(pairs: Iterable[tuple[UUID, UUID]]) -> Select[Any]:
    """Answers pairs of ids as the rows of a query: `tuple_(one, other).in_(id_pairs(keys))`."""
    found = tuple(pairs)
    columns = ([pair[place] for pair in found] for place in (0, 1))
    return select(*(func.unnest(parameter(column, Uuid())) for column in columns))


def _element(value: object) -> str:
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    if isinstance(value, UUID):
        return value.hex
    return "NULL" if value is None else str(value)


@lru_cache(maxsize=100_000)
def of_ids(ids: tuple[str, ...]) -> str:
    """Answers ids as an array literal, each in its usual form; raises ValueError for what is no id.

    Remembered, since the same teams come again and again.
    """
    return f"{{{','.join([str(UUID(each)) for each in ids])}}}"


@lru_cache(maxsize=100_000)
def path_id(ids: tuple[str, ...]) -> UUID:
    """Names a list of ids in this order by an id: the same list has the same one everywhere.

    Raises ValueError for what is no id. Remembered, as `of_ids` is.
    """
    whole = b"".join(UUID(each).bytes for each in ids)
    return UUID(bytes=hashlib.blake2b(whole, digest_size=16).digest())

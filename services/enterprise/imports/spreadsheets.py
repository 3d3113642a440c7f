"""The CSV of an import: which columns it has, and what its rows want. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from chassis.errors import DomainError
from services.enterprise.errors import (
    AddressInvalid,
    ImportEmpty,
    ImportHeaderInvalid,
    ImportNotText,
    ImportRowInvalid,
    ImportTooLarge,
)
from services.enterprise.invitations import invitees
from services.enterprise.store.tree import MOST_DEEP
from wrtn.access.v1.access_pb2 import (
    ROLE_CHIEF,
    ROLE_MANAGER,
    ROLE_MEMBER,
    TITLE_MANAGER,
    TITLE_MEMBER,
    TITLE_OWNER,
    Role,
    Title,
)

V = TypeVar("V")

MOST_BYTES = 2 * 1024 * 1024
MOST_ROWS = 20_000
MOST_TOGETHER = 2_000
"""How many rows may take effect all or none: they hold the lock of the enterprise together."""
MOST_PLACES = 20

COLUMNS = ("email", "title", "team", "role")
_LONGEST_NAME = 100
_LONGEST_CELL = 10_000
_TITLES: Mapping[str, Title.ValueType] = {
    "member": TITLE_MEMBER,
    "manager": TITLE_MANAGER,
    "owner": TITLE_OWNER,
}
_ROLES: Mapping[str, Role.ValueType] = {
    "member": ROLE_MEMBER,
    "manager": ROLE_MANAGER,
    "chief": ROLE_CHIEF,
}


@dataclass(frozen=True, slots=True)
class Place:
    """A team by the names on the way to it, from the top, and the role there."""

    path: tuple[str, ...]
    role: Role.ValueType


@dataclass(frozen=True, slots=True)
class Person:
    """What the rows of one address want together."""

    email: str
    title: Title.ValueType | None
    """None if no row says one."""
    places: tuple[Place, ...]
    rows: tuple[int, ...]
    """The numbers of its rows in the file; the header is row 1."""
    error: DomainError | None = None
    """Why none of it can be done."""


@dataclass(frozen=True, slots=True)
class _Row:
    number: int
    email: str
    title: Title.ValueType | None
    place: Place | None
    error: DomainError | None


def parsed(data: bytes, *, together: bool) -> list[Person]:
    """Reads a whole file; what is wrong with a row is in the person.

    Raises ImportTooLarge, ImportNotText, ImportHeaderInvalid and ImportEmpty.
    """
    if len(data) > MOST_BYTES:
        raise ImportTooLarge(f"The file is longer than {MOST_BYTES} bytes.", field="csv")
    most = MOST_TOGETHER if together else MOST_ROWS
    rows: list[_Row] = []
    for row in _rows(_text(data)):
        if len(rows) == most:
            raise ImportTooLarge(f"The file has more than {most} rows.", field="csv")
        rows.append(row)
    if not rows:
        raise ImportEmpty("The file has no rows below its header.", field="csv")
    return _people(rows)


def _text(data: bytes) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ImportNotText("The file is not encoded in UTF-8.", field="csv") from error
    if "\0" in text:
        raise ImportNotText("The file holds a NUL byte.", field="csv")
    return text


def _rows(text: str) -> Iterator[_Row]:
    first = text.partition("\n")[0]
    delimiter = ";" if first.count(";") > first.count(",") else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        columns = _columns(next(reader, []))
        for number, cells in enumerate(reader, start=2):
            if any(cell.strip() for cell in cells):
                yield _row(number, columns, cells)
    except csv.Error as error:
        raise ImportNotText(f"Line {reader.line_num} is no CSV.", field="csv") from error


def _columns(header: Sequence[str]) -> list[str]:
    names = [each.strip().lower() for each in header]
    unknown = [each for each in names if each not in COLUMNS]
    if unknown or len(set(names)) < len(names) or "email" not in names:
        raise ImportHeaderInvalid(
            f"The first row names the columns, each once: email, and if wanted {', '.join(COLUMNS[1:])}.",
            field="csv",
        )
    return names


def _row(number: int, columns: Sequence[str], cells: Sequence[str]) -> _Row:
    email = ""
    try:
        if len(cells) != len(columns) or any(len(cell) > _LONGEST_CELL for cell in cells):
            raise ImportRowInvalid("The row has not as many cells as the header.")
        said = {name: cell.strip() for name, cell in zip(columns, cells, strict=True)}
        email = said["email"]
        email = invitees.parsed(email)
        title = _one_of(_TITLES, said, "title")
        return _Row(number, email, title, _place(said), None)
    except AddressInvalid as error:
        return _Row(number, email, None, None, AddressInvalid(error.message, field="email"))
    except DomainError as error:
        return _Row(number, email, None, None, error)


def _place(said: Mapping[str, str]) -> Place | None:
    role = _one_of(_ROLES, said, "role")
    if not said.get("team"):
        if role is not None:
            raise ImportRowInvalid("A role is in a team: the row names none.", field="role")
        return None
    path = tuple(part.strip() for part in said["team"].split("/"))
    if len(path) > MOST_DEEP or not all(0 < len(part) <= _LONGEST_NAME for part in path):
        raise ImportRowInvalid("A team is named by its way from the top, as in Sales/EMEA.", field="team")
    return Place(path, role if role is not None else ROLE_MEMBER)


def _one_of(known: Mapping[str, V], said: Mapping[str, str], column: str) -> V | None:
    text = said.get(column, "").lower()
    if text and text not in known:
        raise ImportRowInvalid(f"The {column} is one of {', '.join(known)}.", field=column)
    return known[text] if text else None


def _people(rows: Sequence[_Row]) -> list[Person]:
    """Puts the rows of one address together, where its first one stands."""
    grouped: dict[str, list[_Row]] = {}
    for row in rows:
        grouped.setdefault(invitees.same(row.email) if row.error is None else f"\n{row.number}", []).append(
            row
        )
    return [_person(each) for each in grouped.values()]


def _person(rows: Sequence[_Row]) -> Person:
    first = rows[0]
    titles = {each.title for each in rows if each.title is not None}
    places = {each.place.path: each.place for each in rows if each.place is not None}
    error = first.error
    if len(titles) > 1:
        error = ImportRowInvalid("The rows of this address say different titles.", field="title")
    elif len(places) < sum(each.place is not None for each in rows):
        error = ImportRowInvalid("The rows of this address name one team twice.", field="team")
    elif len(places) > MOST_PLACES:
        error = ImportRowInvalid(f"The rows of one address name {MOST_PLACES} teams at most.", field="team")
    numbers = tuple(each.number for each in rows)
    return Person(first.email, next(iter(titles), None), tuple(places.values()), numbers, error)

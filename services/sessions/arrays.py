"""Columns as PostgreSQL's binary arrays, built at once: psycopg would take ten times as long, value by value.

The form is that of `array_send`: dimensions, a null flag, the element's type, the length, the lower
bound, and then each value behind its own length.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any
from weakref import WeakSet

import psycopg
from psycopg.adapt import Buffer, Dumper
from psycopg.pq import Format

_HEAD = struct.Struct("!iiIii")
_UUID_LENGTH = struct.pack("!i", 16)
_LENGTH = struct.Struct("!i")


class Uuids(bytes):
    """An array of uuid, ready to send."""

    element = 2950
    array = 2951

    @classmethod
    def of(cls, values: Sequence[bytes]) -> Uuids:
        """Builds the array of these 16-byte values."""
        return cls(_head(cls.element, len(values)) + b"".join([_UUID_LENGTH + each for each in values]))


class Numbers(bytes):
    """An array of int8, ready to send."""

    element = 20
    array = 1016

    @classmethod
    def of(cls, values: Sequence[int]) -> Numbers:
        """Builds the array."""
        interleaved = [8] * (2 * len(values))
        interleaved[1::2] = values
        return cls(_head(cls.element, len(values)) + struct.pack("!" + "iq" * len(values), *interleaved))


class Bytes(bytes):
    """An array of bytea, ready to send."""

    element = 17
    array = 1001

    @classmethod
    def of(cls, values: Sequence[bytes]) -> Bytes:
        """Builds the array."""
        return cls(_variable(cls.element, values))


class Texts(bytes):
    """An array of text, ready to send."""

    element = 25
    array = 1009

    @classmethod
    def of(cls, values: Sequence[str]) -> Texts:
        """Builds the array."""
        return cls(_variable(cls.element, [each.encode() for each in values]))


class _ReadyDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: Any) -> Buffer:
        return bytes(obj)


def _dumper(kind: type[Uuids | Numbers | Bytes | Texts]) -> type[Dumper]:
    class Ready(_ReadyDumper):
        oid = kind.array

    return Ready


_DUMPERS = {kind: _dumper(kind) for kind in (Uuids, Numbers, Bytes, Texts)}
_taught: WeakSet[psycopg.AsyncConnection[Any]] = WeakSet()


def teach(connection: psycopg.AsyncConnection[Any]) -> None:
    """Makes the connection able to send these arrays. Repeating it costs nothing."""
    if connection not in _taught:
        for kind, dumper in _DUMPERS.items():
            connection.adapters.register_dumper(kind, dumper)
        _taught.add(connection)


def _head(element: int, length: int) -> bytes:
    return _HEAD.pack(1, 0, element, length, 1)


def _variable(element: int, values: Sequence[bytes]) -> bytes:
    pack = _LENGTH.pack
    return _head(element, len(values)) + b"".join(
        [part for each in values for part in (pack(len(each)), each)]
    )

"""The declarative base of every service's tables."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import DateTime, LargeBinary, MetaData, Numeric, Text, Uuid
from sqlalchemy.orm import DeclarativeBase

NAMES = {
    "pk": "%(table_name)s_pkey",
    "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
    "uq": "%(table_name)s_%(column_0_N_name)s_key",
    "ix": "%(table_name)s_%(column_0_N_name)s_idx",
    "ck": "%(table_name)s_%(constraint_name)s_check",
}
"""How constraints are called, the same in migrations, so that errors can be told apart by name."""


class Base(DeclarativeBase):
    """Derive a service's own base from this one: `class Base(models.Base): metadata = metadata()`.

    Texts are TEXT, times timestamptz, `Decimal` an unbounded NUMERIC.
    """

    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it from the class
        UUID: Uuid(),
        str: Text(),
        bytes: LargeBinary(),
        datetime: DateTime(timezone=True),
        Decimal: Numeric(),
    }

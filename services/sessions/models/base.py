"""What all tables of sessions derive from."""

from __future__ import annotations

from sqlalchemy import MetaData

from chassis.database import models


class Base(models.Base):
    """The base of this service's tables."""

    __abstract__ = True
    metadata = MetaData(naming_convention=models.NAMES)

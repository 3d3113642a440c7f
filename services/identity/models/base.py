"""The base of the tables."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import (
    MetaData,
)

from chassis.database import models
from chassis.database.models import NAMES

PLATFORM = UUID(int=0)
"""The tenant of what belongs to nobody's enterprise: platform-wide credentials and the signing keys."""


class Base(models.Base):
    """The base of identity's tables."""

    __abstract__ = True
    metadata = MetaData(naming_convention=NAMES)

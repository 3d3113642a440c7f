"""The queries on grants, their defaults and the record of their changes."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, delete, func, literal, or_, select, tuple_

from services.enterprise import granting
from services.enterprise.granting import Setting
from services.enterprise.models import Grant, GrantChange, GrantDefault
from services.enterprise.store.rows import Rows
from wrtn.enterprise.v1.grants_pb2 import EFFECT_UNSPECIFIED, GRANT_LAYER_DEFAULT

Place = tuple[int, str, int]
"""The place of a grant in a list: how far up the line, the resource, the layer."""

# What bears on a resource along a line: three looks into indexes, in one round trip.
_ABOUT = """
SELECT team_id, resource, effect, layer, locked FROM wrtn_grants
WHERE tenant_id = %(tenant)s AND resource = ANY (%(names)s) AND team_id = ANY (%(line)s)
UNION ALL
SELECT team_id, resource, effect, layer, locked FROM wrtn_grants
WHERE tenant_id = %(tenant)s AND resource = ANY (%(names)s) AND team_id IS NULL
UNION ALL
SELECT NULL, kind, effect, %(default)s, false FROM wrtn_grant_defaults
WHERE tenant_id = %(tenant)s AND kind = %(kind)s
"""


class Grants(Rows):
    """What is set in the enterprise."""

    async def about(self, resource: str, line: Sequence[UUID]) -> tuple[list[Setting], int]:
        """Answers the settings that name the resource along the line and above it, and the default."""
        values = about(resource) | {"tenant": self._tenant_id, "line": list(line)}
        found = await (await (await self._tx.driver()).execute(_ABOUT, values)).fetchall()
        return split([Setting(*row) for row in found])

    async def get(self, team_id: UUID | None, resource: str, layer: int) -> Grant | None:
        """Answers what the layer set at the place for the very text."""
        wanted = select(Grant).where(
            Grant.tenant_id == self._tenant_id,
            Grant.team_id == team_id if team_id is not None else Grant.team_id.is_(None),
            Grant.resource == resource,
            Grant.layer == layer,
        )
        return (await self._session.scalars(wanted)).one_or_none()

    async def remove(self, row: Grant) -> None:
        """Takes the grant away; the record of changes keeps what it was."""
        gone = delete(Grant).where(Grant.tenant_id == self._tenant_id, Grant.id == row.id)
        await self._session.execute(gone)

    async def page(
        self, line: Sequence[UUID], *, of_enterprise: bool, after: Place | None, size: int
    ) -> Sequence[tuple[int, Grant]]:
        """Answers the grants along the line after that place, the nearest first, each with how far up it is.

        Those of the enterprise come last, if they are wanted.
        """
        far = func.coalesce(
            func.array_position(literal(list(line), ARRAY(Uuid)), Grant.team_id), len(line) + 1
        )
        here = Grant.team_id.in_(line)
        wanted = select(far, Grant).where(
            Grant.tenant_id == self._tenant_id, or_(here, Grant.team_id.is_(None)) if of_enterprise else here
        )
        place = tuple_(far, Grant.resource, Grant.layer)
        if after is not None:
            wanted = wanted.where(place > after)
        found = await self._session.execute(wanted.order_by(far, Grant.resource, Grant.layer).limit(size))
        return [(row[0], row[1]) for row in found.all()]


def about(resource: str) -> dict[str, object]:
    """Answers the parameters of a query for what bears on a resource; on an empty one nothing does."""
    return {
        "names": list(granting.names_of(resource)) if resource else [],
        "kind": granting.kind_of(resource),
        "default": GRANT_LAYER_DEFAULT,
    }


def split(found: Sequence[Setting]) -> tuple[list[Setting], int]:
    """Answers the settings, and apart from them the default that was found among them."""
    defaults = [each.effect for each in found if each.layer == GRANT_LAYER_DEFAULT]
    settings = [each for each in found if each.layer != GRANT_LAYER_DEFAULT]
    return settings, max(defaults, default=EFFECT_UNSPECIFIED)


class GrantDefaults(Rows):
    """What holds where nothing is set, by kind."""

    async def get(self, kind: str) -> GrantDefault | None:
        """Answers the default of the kind, if one is set."""
        return await self._session.get(GrantDefault, (self._tenant_id, kind))

    async def page(self, after: str, size: int) -> Sequence[GrantDefault]:
        """Answers the defaults of greater kinds."""
        wanted = select(GrantDefault).where(
            GrantDefault.tenant_id == self._tenant_id, GrantDefault.kind > after
        )
        return (await self._session.scalars(wanted.order_by(GrantDefault.kind).limit(size))).all()


class GrantChanges(Rows):
    """The record of changes."""

    async def page(self, before: int | None, size: int, team_id: UUID | None) -> Sequence[GrantChange]:
        """Answers the changes before this one, the newest first; only those of one team if named."""
        wanted = select(GrantChange).where(GrantChange.tenant_id == self._tenant_id)
        if team_id is not None:
            wanted = wanted.where(GrantChange.team_id == team_id)
        if before is not None:
            wanted = wanted.where(GrantChange.sequence < before)
        return (await self._session.scalars(wanted.order_by(GrantChange.sequence.desc()).limit(size))).all()

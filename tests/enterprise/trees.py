"""Teams put straight into the tables: for tests that want many, or deep ones, and not how they are made."""

from __future__ import annotations

from uuid import UUID

from chassis.database import Scope
from tests.enterprise.make import Worker, World

_GROW = """
WITH RECURSIVE layer (n, id, parent) AS (
    SELECT 0, %(team)s::uuid, NULL::uuid
    UNION ALL
    SELECT n + 1, uuidv7(), layer.id FROM layer, generate_series(1, CASE WHEN n < %(deep)s THEN %(wide)s END)
)
INSERT INTO wrtn_teams (tenant_id, id, parent_team_id, display_name, create_time)
SELECT %(tenant)s, id, parent, 'Team', now() FROM layer WHERE n > 0 ORDER BY n
RETURNING id::text
"""


async def grow(world: World, owner: Worker, team_id: str, *, deep: int, wide: int = 1) -> list[str]:
    """Puts layers of teams below one, so many below each team; answers them from the top down."""
    tenant_id = UUID(owner.enterprise_id)
    values = {"tenant": tenant_id, "team": UUID(team_id), "deep": deep, "wide": wide}
    async with world.database.app.transaction(Scope.of(tenant_id)) as tx:
        made = await (await tx.driver()).execute(_GROW.encode(), values)
        return [row[0] for row in await made.fetchall()]

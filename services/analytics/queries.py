"""Reading the rollups. Nothing here reads single usages: an answer costs the same however many there are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from chassis.database import Snapshot
from services.analytics.asking import Asked, By
from services.analytics.counting import MEASURES
from services.analytics.facts import NOBODY
from services.analytics.stretches import Bucket, Division, buckets, stretches

MOST_ROWS = 10_000


class Counts(NamedTuple):
    """The sums of some usages."""

    usage_count: int
    rated_count: int
    input_tokens: int
    cached_input_tokens: int
    output_tokens: int
    reasoning_tokens: int
    accepted_prediction_tokens: int
    rejected_prediction_tokens: int
    cost: Decimal


_NONE = Counts(0, 0, 0, 0, 0, 0, 0, 0, Decimal(0))


class Row(NamedTuple):
    """The sums of one key in one bucket."""

    bucket: Bucket
    key: str
    counts: Counts


_KEYS = {
    By.NOTHING: "''",
    By.TEAM: "team_id::text",
    By.EMPLOYEE: f"coalesce(nullif(employee_id, '{NOBODY}')::text, '')",
    By.MODEL: "model",
    By.ACCOUNT: "account_id::text",
}
_SUMS = ", ".join(f"sum({name}){'' if name == 'cost' else '::bigint'} AS {name}" for name in MEASURES)
# The paths in which the team stands, each cut off above it: what lies higher is not asked about.
_PATHS_BELOW = """SELECT id, team_ids[:array_position(team_ids, %(team)s)] AS team_ids FROM wrtn_team_paths
    WHERE tenant_id = %(tenant)s AND %(team)s = ANY (team_ids)"""
_PATHS = "SELECT id, team_ids FROM wrtn_team_paths WHERE tenant_id = %(tenant)s"
_STRETCHES = """unnest(%(buckets)s::integer[], %(grains)s::smallint[], %(starts)s::timestamptz[],
    %(ends)s::timestamptz[]) AS stretch (bucket, stretch_grain, stretch_start, stretch_end)"""


class Usage:
    """The usage of one tenant."""

    def __init__(self, snapshot: Snapshot, tenant_id: UUID) -> None:
        self._snapshot = snapshot
        self._tenant_id = tenant_id

    async def total(self, asked: Asked) -> Counts:
        """Sums the whole time, each usage once."""
        whole = Bucket(asked.start, asked.start, asked.end)
        found = await self._read(asked, By.NOTHING, [whole])
        return Counts(*found[0][2:]) if found else _NONE

    async def rows(self, asked: Asked) -> list[Row]:
        """Answers the rows by time and key, at most MOST_ROWS + 1."""
        if asked.division is Division.WHOLE and asked.by is By.NOTHING:
            return []
        pieces = list(buckets(asked.start, asked.end, asked.division, asked.zone))
        found = await self._read(asked, asked.by, pieces)
        return [Row(pieces[bucket], key, Counts(*counts)) for bucket, key, *counts in found]

    async def knows_account(self, account_id: UUID, holders: Sequence[UUID]) -> bool:
        """Whether the account has used anything in this tenant; while these held it, if any are named."""
        rows = "wrtn_account_rollups WHERE tenant_id = %s AND account_id = %s"
        if holders:
            return await self._any(f"{rows} AND employee_id = ANY (%s)", account_id, list(holders))
        return await self._any(rows, account_id)

    async def knows_team(self, team_id: UUID) -> bool:
        """Whether anything was used in the team or below it."""
        return await self._any("wrtn_team_paths WHERE tenant_id = %s AND %s = ANY (team_ids)", team_id)

    async def _any(self, rows: str, *values: object) -> bool:
        query = f"SELECT EXISTS (SELECT FROM {rows})"  # noqa: S608
        cursor = await (await self._snapshot.driver()).execute(query, (self._tenant_id, *values))
        return bool((await cursor.fetchall())[0][0])

    async def _read(self, asked: Asked, by: By, pieces: Iterable[Bucket]) -> Sequence[tuple[Any, ...]]:
        cover = [
            each for number, piece in enumerate(pieces) for each in stretches(number, piece.start, piece.end)
        ]
        numbers, grains, starts, ends = zip(*cover, strict=True)
        values = {
            "tenant": self._tenant_id,
            "team": asked.team_id,
            "account": asked.account_id,
            "holders": list(asked.holders),
            "model": asked.model,
            "buckets": list(numbers),
            "grains": list(map(int, grains)),
            "starts": list(starts),
            "ends": list(ends),
            "most": MOST_ROWS + 1,
        }
        cursor = await (await self._snapshot.driver()).execute(_statement(asked, by), values)
        return await cursor.fetchall()


def _statement(asked: Asked, by: By) -> str:
    """Builds the query. The whole tenant's sums stand ready; paths are read only where teams matter."""
    table, conditions = _source(asked, by)
    paths = _PATHS_BELOW if asked.team_id is not None else _PATHS
    # OFFSET 0 keeps the planner at one range of the index for each stretch, however it guesses their number.
    found = f"""{_STRETCHES} CROSS JOIN LATERAL (
        SELECT * FROM {table} WHERE {conditions} AND grain = stretch_grain
            AND start_time >= stretch_start AND start_time < stretch_end OFFSET 0) AS rollup"""  # noqa: S608
    if by is By.TEAM:
        found = f"""(SELECT bucket, part_id, {_SUMS} FROM {found} GROUP BY 1, 2) AS part
            JOIN paths ON paths.id = part_id CROSS JOIN unnest(team_ids) AS team (team_id)"""  # noqa: S608
    return f"""
    WITH paths AS MATERIALIZED ({paths})
    SELECT bucket, {_KEYS[by]}, {_SUMS} FROM {found} GROUP BY 1, 2 ORDER BY 1, 2 LIMIT %(most)s
    """  # noqa: S608


def _source(asked: Asked, by: By) -> tuple[str, str]:
    """Answers the table that has the sums, and which of its rows count."""
    conditions = ["tenant_id = %(tenant)s"]
    if asked.account_id is not None or by in (By.EMPLOYEE, By.ACCOUNT):
        table = "wrtn_account_rollups"
    else:
        table = "wrtn_rollups"
        if asked.team_id is None:
            conditions.append(f"part_id {'<>' if by is By.TEAM else '='} %(tenant)s")
    if asked.account_id is not None:
        conditions.append("account_id = %(account)s")
    if asked.holders:
        conditions.append("employee_id = ANY (%(holders)s)")
    if asked.team_id is not None:
        conditions.append("part_id = ANY (ARRAY(SELECT id FROM paths))")
    if asked.model:
        conditions.append("model = %(model)s")
    return table, " AND ".join(conditions)

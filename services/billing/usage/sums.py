"""Sums of costs: whole UTC days from the sums by day, the rest of the time from the usages themselves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import NamedTuple
from uuid import UUID

from chassis.database import Snapshot

MOST_ROWS = 1000
_DAY = timedelta(days=1)


class By(Enum):
    """By what a sum is divided."""

    NOTHING = "NULL::text"
    ACCOUNT = "account_id::text"
    MEMBER = "member_id::text"
    TEAM = "team_id::text"
    MODEL = "model"


class Sum(NamedTuple):
    """What some usages cost, and how many tokens they are."""

    key: str
    cost: Decimal
    charge: Decimal
    usage_count: int
    unpriced_count: int
    input_tokens: int
    cached_input_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be summed: of one account, of a team with all below it, or of all; between two times.

    `member_id` leaves of an account what others used while they held it.
    """

    by: By
    start: datetime | None = None
    end: datetime | None = None
    account_id: UUID | None = None
    member_id: UUID | None = None
    team_id: UUID | None = None


_COLUMNS = """model, cost, charge, usage_count, unpriced_count, input_tokens, cached_input_tokens,
    output_tokens"""
_SUMS = """coalesce(sum(cost), 0), coalesce(sum(charge), 0),
    coalesce(sum(usage_count), 0)::bigint, coalesce(sum(unpriced_count), 0)::bigint,
    coalesce(sum(input_tokens), 0)::bigint, coalesce(sum(cached_input_tokens), 0)::bigint,
    coalesce(sum(output_tokens), 0)::bigint"""
_IN_DAYS = """tenant_id = %(tenant)s AND (%(first_day)s::date IS NULL OR day >= %(first_day)s)
    AND (%(last_day)s::date IS NULL OR day < %(last_day)s)"""
_BELOW = "part_id IN (SELECT id FROM paths)"
# The paths in which the team stands, each cut off above it: what lies higher is not asked about.
_PATHS_BELOW = """SELECT id, team_ids[:array_position(team_ids, %(team)s)] AS team_ids FROM wrtn_team_paths
    WHERE tenant_id = %(tenant)s AND %(team)s = ANY (team_ids)"""
_PATHS = "SELECT id, team_ids FROM wrtn_team_paths WHERE tenant_id = %(tenant)s"
_EDGE = """JOIN unnest(%(edge_starts)s::timestamptz[], %(edge_ends)s::timestamptz[])
        AS edge (start_time, end_time)
        ON {row}.use_time >= edge.start_time AND {row}.use_time < edge.end_time
    WHERE {row}.tenant_id = %(tenant)s"""
_USAGES = f"""SELECT account_id, member_id, path_id, model, cost, charge, 1, (price_id IS NULL)::int,
        input_tokens, cached_input_tokens, output_tokens
    FROM wrtn_usages AS usage {_EDGE.format(row="usage")}"""  # noqa: S608
# A correction counts at the time of the use that it corrects.
_CORRECTIONS = f"""SELECT account_id, member_id, path_id, model, entry.cost, entry.charge, 0, -newly_priced,
        0, 0, 0
    FROM wrtn_usage_corrections AS entry JOIN wrtn_usages AS usage USING (tenant_id, history_id)
    {_EDGE.format(row="entry")}"""  # noqa: S608


async def sums(snapshot: Snapshot, tenant_id: UUID, asked: Asked) -> tuple[Sum, list[Sum]]:
    """Answers the total, and at most MOST_ROWS + 1 rows, the greatest cost first."""
    days, edges = split(asked.start, asked.end)
    values = {
        "tenant": tenant_id,
        "team": asked.team_id,
        "account": asked.account_id,
        "member": asked.member_id,
        "first_day": days[0],
        "last_day": days[1],
        "edge_starts": [edge[0] for edge in edges],
        "edge_ends": [edge[1] for edge in edges],
        "most": MOST_ROWS + 1,
    }
    cursor = await (await snapshot.driver()).execute(_statement(asked), values)
    total, *rows = [Sum(*row[1:]) for row in await cursor.fetchall()]
    return total, rows


def split(
    start: datetime | None, end: datetime | None
) -> tuple[tuple[date | None, date | None], list[tuple[datetime, datetime]]]:
    """Splits a time into its whole UTC days, as first and one past the last (None: open), and the rest.

    An unset start or end is open, so it has no rest.
    """
    first = _midnight(start + _DAY - timedelta(microseconds=1)) if start else None
    last = _midnight(end) if end else None
    if start and end and first and last and first > last:
        return (last.date(), last.date()), [(start, end)]
    edges = []
    if start and first and start < first:
        edges.append((start, first))
    if end and last and last < end:
        edges.append((last, end))
    return (first.date() if first else None, last.date() if last else None), edges


def _midnight(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _statement(asked: Asked) -> str:
    """Builds the query. The whole tenant's sums stand ready; paths are read only where teams matter."""
    of_account = "account_id = %(account)s" if asked.account_id is not None else "true"
    if asked.member_id is not None:
        of_account += " AND member_id = %(member)s"
    of_team = "part_id IN (SELECT id FROM paths)" if asked.team_id is not None else "true"
    if asked.account_id is not None or asked.by in (By.ACCOUNT, By.MEMBER):
        days, holder = "wrtn_holder_cost_days", "account_id, member_id"
    else:
        days, holder = "wrtn_cost_days", "NULL::uuid AS account_id, NULL::uuid AS member_id"
        if asked.team_id is None:
            of_team = f"part_id {'<>' if asked.by is By.TEAM else '='} %(tenant)s"
    edge_of_team = of_team.replace("part_id", "path_id") if asked.team_id is not None else "true"
    paths = _PATHS_BELOW if asked.team_id is not None else _PATHS
    return f"""
    WITH paths AS MATERIALIZED ({paths}),
    parts AS MATERIALIZED (
        SELECT {holder}, part_id, {_COLUMNS} FROM {days} WHERE {_IN_DAYS} AND {of_account} AND {of_team}
        UNION ALL {_USAGES} AND {of_account} AND {edge_of_team}
        UNION ALL {_CORRECTIONS} AND {of_account} AND {edge_of_team})
    SELECT 0, '', {_SUMS} FROM parts {_rows(asked.by)} ORDER BY 1, 3 DESC, 2"""  # noqa: S608


def _rows(by: By) -> str:
    if by is By.NOTHING:
        return ""
    teams = "JOIN paths ON paths.id = part_id CROSS JOIN unnest(team_ids) AS team (team_id)"
    return f"""UNION ALL (
        SELECT 1, {by.value}, {_SUMS} FROM parts {teams if by is By.TEAM else ""}
        GROUP BY 2 ORDER BY 3 DESC, 2 LIMIT %(most)s)"""  # noqa: S608

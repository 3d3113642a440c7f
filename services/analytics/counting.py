"""The one statement by which a batch of facts is added to the rollups.

Every table is written in the order of its key, and all replicas and both consumers write the tables in
the same order, so that two batches wait for each other and never deadlock. `fresh` are the usages that
this source had not told of before: only they are added, so a usage that comes again changes nothing.
"""

from __future__ import annotations

from services.analytics.facts import NOBODY, Fact
from services.analytics.stretches import Grain

_TYPES = {"model": "text", "path": "text", "use_time": "timestamptz", "cost": "numeric"}
MEASURES = Fact._fields[Fact._fields.index("usage_count") :]
"""The columns that are summed up."""


def _type(column: str) -> str:
    return _TYPES.get(column) or ("uuid" if column.endswith("_id") else "bigint")


_COLUMNS = ", ".join(Fact._fields)
_ARRAYS = ", ".join(f"%({name})s::{_type(name)}[]" for name in Fact._fields)
_MEASURES = ", ".join(MEASURES)
_SUMMED = ", ".join(f"sum({name})" for name in MEASURES)
_ADDED = ", ".join(f"{name} = kept.{name} + excluded.{name}" for name in MEASURES)
_GRAINS = ", ".join(f"({int(grain)}, interval '{int(grain.length.total_seconds())} s')" for grain in Grain)
_START = "date_bin(length, use_time, timestamptz 'epoch')"

CLAIM = f"""
WITH transfers AS (
    SELECT DISTINCT ON (account_id) account_id, member_id
    FROM unnest(%(account_id)s::uuid[], %(member_id)s::uuid[]) WITH ORDINALITY
        AS transfers (account_id, member_id, place)
    ORDER BY account_id, place
),
taken AS (
    DELETE FROM wrtn_account_rollups AS kept USING transfers
    WHERE kept.tenant_id = transfers.account_id AND kept.account_id = transfers.account_id
        AND employee_id = '{NOBODY}'
    RETURNING kept.*, member_id
)
INSERT INTO wrtn_account_rollups AS kept
    (tenant_id, account_id, grain, start_time, employee_id, part_id, model, {_MEASURES})
SELECT tenant_id, account_id, grain, start_time, member_id, part_id, model, {_MEASURES} FROM taken
ORDER BY 1, 2, 3, 4, 5, 6, 7
ON CONFLICT (tenant_id, account_id, grain, start_time, employee_id, part_id, model) DO UPDATE SET {_ADDED}
"""  # noqa: S608
"""Gives what nobody held, in personal accounts that change hands, to the first who hands each on."""

COUNT = f"""
WITH incoming AS (
    SELECT * FROM unnest({_ARRAYS}) AS incoming ({_COLUMNS})
),
fresh AS (
    INSERT INTO wrtn_counted_usages (tenant_id, history_id, source)
    SELECT tenant_id, history_id, %(source)s::smallint FROM incoming ORDER BY 1, 2
    ON CONFLICT DO NOTHING
    RETURNING tenant_id, history_id
),
facts AS MATERIALIZED (
    SELECT incoming.* FROM incoming JOIN fresh USING (tenant_id, history_id)
),
paths AS (
    INSERT INTO wrtn_team_paths (tenant_id, id, team_ids)
    SELECT DISTINCT tenant_id, path_id, path::uuid[] FROM facts WHERE path <> '{{}}' ORDER BY 1, 2
    ON CONFLICT DO NOTHING
),
rollups AS (
    INSERT INTO wrtn_rollups AS kept (tenant_id, part_id, grain, start_time, model, {_MEASURES})
    SELECT tenant_id, part_id, grain, {_START}, model, {_SUMMED}
    FROM facts CROSS JOIN (VALUES {_GRAINS}) AS grain (grain, length)
    CROSS JOIN LATERAL (VALUES (tenant_id), (path_id)) AS part (part_id)
    GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
    ON CONFLICT (tenant_id, part_id, grain, start_time, model) DO UPDATE SET {_ADDED}
),
account_rollups AS (
    INSERT INTO wrtn_account_rollups AS kept
        (tenant_id, account_id, grain, start_time, employee_id, part_id, model, {_MEASURES})
    SELECT tenant_id, account_id, grain, {_START}, employee_id, path_id, model, {_SUMMED}
    FROM facts CROSS JOIN (VALUES {_GRAINS}) AS grain (grain, length)
    GROUP BY 1, 2, 3, 4, 5, 6, 7 ORDER BY 1, 2, 3, 4, 5, 6, 7
    ON CONFLICT (tenant_id, account_id, grain, start_time, employee_id, part_id, model) DO UPDATE SET {_ADDED}
)
SELECT count(*) FROM facts
"""  # noqa: S608

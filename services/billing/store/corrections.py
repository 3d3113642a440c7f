"""The queries on corrections."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select, tuple_, update

from chassis.database import Snapshot, arrays
from services.billing.models import Correction, CorrectionDifference
from services.billing.pricing.rating import Tokens

NO_TEAM = UUID(int=0)
"""Stands for usages on no team."""

_TENANTS = "SELECT DISTINCT tenant_id FROM wrtn_cost_days WHERE tenant_id > %s ORDER BY tenant_id LIMIT %s"

# What a usage costs by now is its own numbers and those of all corrections before this one.
_USAGES = """
SELECT usage.history_id, usage.account_id, team_id, model, use_time, usage.cost + coalesce(done.cost, 0),
       usage.charge + coalesce(done.charge, 0), input_tokens, cached_input_tokens, output_tokens,
       reasoning_tokens, cache_write_tokens, requests, images, seconds
FROM wrtn_usages AS usage LEFT JOIN LATERAL (
    SELECT sum(entry.cost) AS cost, sum(entry.charge) AS charge, bool_or(entry.newly_priced = 1) AS priced,
           bool_or(entry.price_id = %(price)s) AS by_price
    FROM wrtn_usage_corrections AS entry
    WHERE entry.tenant_id = usage.tenant_id AND entry.history_id = usage.history_id
) AS done ON true
WHERE usage.tenant_id = %(tenant)s AND usage.use_time >= %(start)s AND usage.use_time < %(end)s
    AND usage.create_time <= %(as_of)s AND usage.history_id > %(after)s
    AND CASE WHEN %(price)s::uuid IS NULL THEN usage.price_id IS NULL AND done.priced IS NOT TRUE
        ELSE usage.price_id = %(price)s OR done.by_price END
ORDER BY usage.history_id LIMIT %(size)s
"""

_SUMS = "cost, charge, usage_count, unpriced_count, input_tokens, cached_input_tokens, output_tokens"
_ADDED = """DO UPDATE SET cost = kept.cost + excluded.cost, charge = kept.charge + excluded.charge,
        unpriced_count = kept.unpriced_count + excluded.unpriced_count"""
_APPLY = f"""
WITH fresh AS (
    INSERT INTO wrtn_usage_corrections (tenant_id, history_id, correction_id, price_id, cost, charge,
        price_rule_ids, exchange_rate_id, newly_priced, use_time, create_time)
    SELECT %(tenant)s, history_id, %(correction)s, price_id, cost, charge, price_rule_ids::uuid[],
           exchange_rate_id, newly_priced, use_time, %(now)s
    FROM unnest(%(history_id)s::uuid[], %(price_id)s::uuid[], %(cost)s::numeric[], %(charge)s::numeric[],
        %(price_rule_ids)s::text[], %(exchange_rate_id)s::uuid[], %(newly_priced)s::smallint[],
        %(use_time)s::timestamptz[]) AS entry (history_id, price_id, cost, charge, price_rule_ids,
        exchange_rate_id, newly_priced, use_time)
    ON CONFLICT DO NOTHING
    RETURNING history_id, cost, charge, newly_priced, use_time
),
entries AS (
    SELECT account_id, member_id, path_id, model, (fresh.use_time AT TIME ZONE 'UTC')::date AS day,
           fresh.cost, fresh.charge, newly_priced
    FROM fresh JOIN wrtn_usages AS usage
        ON usage.tenant_id = %(tenant)s AND usage.history_id = fresh.history_id
),
days AS (
    INSERT INTO wrtn_cost_days AS kept (tenant_id, part_id, day, model, {_SUMS})
    SELECT %(tenant)s, part_id, day, model, sum(cost), sum(charge), 0, -sum(newly_priced), 0, 0, 0
    FROM entries CROSS JOIN LATERAL (VALUES (%(tenant)s::uuid), (path_id)) AS part (part_id)
    GROUP BY 2, 3, 4 ORDER BY 2, 3, 4
    ON CONFLICT (tenant_id, part_id, day, model) {_ADDED}
)
INSERT INTO wrtn_holder_cost_days AS kept (tenant_id, account_id, member_id, part_id, day, model, {_SUMS})
SELECT %(tenant)s, account_id, member_id, path_id, day, model, sum(cost), sum(charge), 0, -sum(newly_priced),
       0, 0, 0
FROM entries GROUP BY 2, 3, 4, 5, 6 ORDER BY 2, 3, 4, 5, 6
ON CONFLICT (tenant_id, account_id, member_id, part_id, day, model) {_ADDED}
"""  # noqa: S608


class Wrong(NamedTuple):
    """A usage that is to be corrected, with what it costs by now."""

    history_id: UUID
    account_id: UUID
    team_id: UUID | None
    model: str
    use_time: datetime
    cost: Decimal
    charge: Decimal
    tokens: Tokens


class Entry(NamedTuple):
    """A correcting entry."""

    history_id: UUID
    price_id: UUID | None
    cost: Decimal
    charge: Decimal
    price_rule_ids: str
    exchange_rate_id: UUID | None
    newly_priced: int
    use_time: datetime


async def tenants_charged(snapshot: Snapshot, after: UUID, size: int) -> Sequence[UUID]:
    """Answers tenants that used anything, in order. For the worker role, which sees no more of them."""
    cursor = await (await snapshot.driver()).execute(_TENANTS, (after, size))
    return [row[0] for row in await cursor.fetchall()]


class Corrections:
    """Corrections themselves, the same for all tenants."""

    def __init__(self, tx: Snapshot) -> None:
        self._tx = tx

    async def get(self, correction_id: UUID) -> Correction | None:
        """Answers the correction as it stands now."""
        return await self._tx.session.get(Correction, correction_id, populate_existing=True)

    async def turn(
        self,
        correction_id: UUID,
        to: int,
        source: int,
        by: UUID | None = None,
        operation_id: UUID | None = None,
    ) -> bool:
        """Sets the state, once, by whoever is first; False if it is not `source` before."""
        values: dict[str, object] = {"state": to}
        if by is not None:
            values["decider_member_id"] = by
        if operation_id is not None:
            values["operation_id"] = operation_id
        row = Correction
        changed = update(row).where(row.id == correction_id, row.state == source).values(values)
        return await self._tx.session.scalar(changed.returning(row.id)) is not None

    async def differences(
        self, correction_id: UUID, after: tuple[UUID, UUID] | None, size: int
    ) -> Sequence[CorrectionDifference]:
        """Answers what changes, by tenant and team. Its scope is the platform."""
        row = CorrectionDifference
        query = select(row).where(row.correction_id == correction_id)
        if after is not None:
            query = query.where(tuple_(row.tenant_id, row.team_id) > tuple_(*after))
        return (await self._tx.session.scalars(query.order_by(row.tenant_id, row.team_id).limit(size))).all()


class Entries:
    """What a correction finds and changes in one tenant."""

    def __init__(self, tx: Snapshot, tenant_id: UUID, correction: Correction) -> None:
        self._tx = tx
        self._tenant_id = tenant_id
        self._correction = correction

    async def wrong(self, after: UUID, size: int) -> list[Wrong]:
        """Answers the usages to be corrected after this one, in the order of their ids."""
        values = {
            "tenant": self._tenant_id,
            "price": self._correction.price_id,
            "start": self._correction.start_time,
            "end": self._correction.end_time,
            "as_of": self._correction.create_time,
            "after": after,
            "size": size,
        }
        cursor = await (await self._tx.driver()).execute(_USAGES, values)
        return [Wrong._make((*row[:7], Tokens._make(row[7:]))) for row in await cursor.fetchall()]

    async def apply(self, entries: Sequence[Entry]) -> None:
        """Adds the entries, and what they change to the sums. Those that are there already change nothing."""
        named = {"tenant": self._tenant_id, "correction": self._correction.id, "now": self._tx.now}
        values = named | arrays.by_column(Entry._fields, entries)
        await (await self._tx.driver()).execute(_APPLY, values)

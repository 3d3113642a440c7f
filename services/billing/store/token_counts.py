"""The queries on tokens that plans limit. A month is locked after reservations, before the wallet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Uuid, any_, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from chassis.database import Snapshot, arrays
from services.billing.models import Reservation, ReservationState, TokenCount, TokenHold
from services.billing.periods import Span

_ADD = """
UPDATE wrtn_token_counts AS kept SET used = kept.used + new.used
FROM unnest(%(tenant_id)s::uuid[], %(start_time)s::timestamptz[], %(used)s::bigint[])
    AS new (tenant_id, start_time, used)
WHERE (kept.tenant_id, kept.start_time) = (new.tenant_id, new.start_time)
"""
_GIVE_BACK = """
DELETE FROM wrtn_token_holds WHERE (tenant_id, reservation_id) IN (
    SELECT * FROM unnest(%(tenant_id)s::uuid[], %(reservation_id)s::uuid[]))
"""


class Month(NamedTuple):
    """A month of a tenant whose tokens are counted."""

    tenant_id: UUID
    span: Span


class TokenCounts:
    """What one tenant may use, has used and holds."""

    def __init__(self, tx: Snapshot, tenant_id: UUID) -> None:
        self._session = tx.session
        self._tenant_id = tenant_id

    async def lock(self, now: datetime) -> TokenCount | None:
        """Answers the running month, locked; None if it is not counted yet."""
        row = TokenCount
        query = select(row).where(row.tenant_id == self._tenant_id, row.start_time <= now, row.end_time > now)
        locked = query.with_for_update().execution_options(populate_existing=True)
        return await self._session.scalar(locked)

    async def held(self) -> int:
        """Answers what calls under way hold; behind the lock of the month, no other admission adds to it."""
        total = select(func.coalesce(func.sum(TokenHold.tokens), 0))
        return int(await self._session.scalar(total.where(TokenHold.tenant_id == self._tenant_id)) or 0)

    async def last_span(self) -> Span | None:
        """Answers the last month that was counted."""
        row = TokenCount
        query = select(row).where(row.tenant_id == self._tenant_id).order_by(row.start_time.desc()).limit(1)
        found = await self._session.scalar(query)
        return Span(found.start_time, found.end_time) if found is not None else None

    async def begin(self, row: TokenCount) -> TokenCount:
        """Begins to count a month; holds of reservations that have ended are gone."""
        self._session.add(row)
        await self._session.flush()
        held = select(Reservation.id).where(
            Reservation.tenant_id == self._tenant_id, Reservation.state == ReservationState.HELD
        )
        mine = TokenHold.tenant_id == self._tenant_id
        await self._session.execute(delete(TokenHold).where(mine, TokenHold.reservation_id.not_in(held)))
        return row

    async def forget(self, now: datetime) -> None:
        """Has the running month be counted anew: what is allowed in it has changed."""
        row = TokenCount
        await self._session.execute(delete(row).where(row.tenant_id == self._tenant_id, row.end_time > now))

    async def note_refusal(self, now: datetime) -> bool:
        """Notes that a refusal of the running month is told; False if one was."""
        row = TokenCount
        first = update(row).where(
            row.tenant_id == self._tenant_id,
            row.start_time <= now,
            row.end_time > now,
            row.refuse_time.is_(None),
        )
        noted = first.values(refuse_time=now).returning(row.tenant_id)
        return await self._session.scalar(noted) is not None

    async def hold(self, tokens: Mapping[UUID, int]) -> None:
        """Adds to what reservations hold."""
        rows = [
            {"tenant_id": self._tenant_id, "reservation_id": each, "tokens": number}
            for each, number in tokens.items()
            if number
        ]
        if not rows:
            return
        more = insert(TokenHold).values(rows)
        added = {"tokens": TokenHold.tokens + more.excluded.tokens}
        await self._session.execute(
            more.on_conflict_do_update(index_elements=["tenant_id", "reservation_id"], set_=added)
        )


async def months(tx: Snapshot, tenants: Iterable[UUID], first: datetime, last: datetime) -> list[Month]:
    """Answers the months of these tenants that are counted and touch a stretch of time."""
    row = TokenCount
    query = select(row.tenant_id, row.start_time, row.end_time).where(
        row.tenant_id == any_(arrays.parameter(tenants, Uuid())), row.start_time <= last, row.end_time > first
    )
    return [Month(each[0], Span(each[1], each[2])) for each in await tx.session.execute(query)]


async def add(tx: Snapshot, used: Mapping[Month, int]) -> None:
    """Adds to what was used in months that are counted. Whoever rates has locked the tenants' ledgers."""
    rows = [(month.tenant_id, month.span.start, tokens) for month, tokens in sorted(used.items())]
    if rows:
        values = arrays.by_column(("tenant_id", "start_time", "used"), rows)
        await (await tx.driver()).execute(_ADD, values)


async def give_back(tx: Snapshot, reservations: Iterable[tuple[UUID, UUID]]) -> None:
    """Gives back what reservations hold that end, by tenant and id."""
    keys = sorted(reservations)
    if keys:
        values = arrays.by_column(("tenant_id", "reservation_id"), keys)
        await (await tx.driver()).execute(_GIVE_BACK, values)

"""Keeping what is known of enterprises and accounts, the newest of each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.schema import Table

from chassis.database import Snapshot, Transaction
from services.billing.models import AccountTenure
from services.billing.models.base import Base
from services.billing.periods import Span


async def keep(tx: Transaction, model: type[Base], rows: Iterable[dict[str, Any]]) -> None:
    """Writes rows of `model` over older ones of the same key; one older than what is kept changes nothing."""
    table = model.__table__
    assert isinstance(table, Table)  # noqa: S101 - for the type checker: these models are no views
    key = [column.name for column in table.primary_key]
    newest: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in sorted(rows, key=lambda row: int(row["version"])):
        newest[tuple(row[name] for name in key)] = row
    # In the order of the key, as every writer does, so that two batches wait and never deadlock.
    values = [newest[each] for each in sorted(newest)]
    if not values:
        return
    statement = insert(table).values(values)
    rest = {column.name: statement.excluded[column.name] for column in table.c if column.name not in key}
    await tx.session.execute(
        statement.on_conflict_do_update(
            index_elements=key, set_=rest, where=table.c.version < statement.excluded.version
        )
    )


async def add_tenures(tx: Transaction, rows: Sequence[dict[str, Any]]) -> None:
    """Adds from when on members held accounts; what is there already stays."""
    await tx.session.execute(insert(AccountTenure).values(list(rows)).on_conflict_do_nothing())


async def tenures(tx: Snapshot, account_id: UUID, member_id: UUID) -> list[Span]:
    """Answers the times in which a member held a personal account, the oldest first."""
    row = AccountTenure
    following = func.lead(row.start_time).over(order_by=row.version)
    every = (
        select(row.member_id, row.start_time, following.label("end_time"))
        .where(row.tenant_id == account_id, row.account_id == account_id)
        .order_by(row.version)
    )
    return [Span(start, end) for holder, start, end in await tx.session.execute(every) if holder == member_id]

"""The queries on each usage of an invoice, with what corrects it."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from chassis.database import Snapshot
from services.billing.periods import BEGINNING
from services.billing.store.billed import BILLED, IN_TIME

_WHOSE = ("use_time", "history_id", "team_id", "account_id", "member_id", "employee_id", "chat_session_id")
_TOKENS = ("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_tokens")
DETAIL = (
    *(*_WHOSE, "model", *_TOKENS),
    *("price_id", "cost", "currency", "charge", "charge_currency", "correction_id"),
)
"""What is told of each usage and of each correcting entry, in this order."""

_NONE = UUID(int=0)
"""Stands for the correction of a usage itself, which comes before its entries."""

Place = tuple[datetime, UUID, UUID]
"""Where a row stands: use time, history, correction."""
FIRST: Place = (BEGINNING, _NONE, _NONE)


def _of(row: str) -> str:
    """Answers the columns; of an entry its price and amounts, and no tokens: its usage has them."""
    tokens = (f"billed.{name}" if row == "billed" else f"0 AS {name}" for name in _TOKENS)
    return ", ".join((*(f"billed.{name}" for name in (*_WHOSE, "model")), *tokens))


_USAGES = f"""SELECT {_of("billed")}, price_id, cost, currency, charge, charge_currency,
    '{_NONE}'::uuid AS correction_id FROM {BILLED}"""  # noqa: S608
_ENTRY = f"""SELECT {_of("entry")}, entry.price_id, entry.cost, billed.currency, entry.charge,
    billed.charge_currency, entry.correction_id"""
_ENTRIES = f"""{_ENTRY} FROM {BILLED} JOIN wrtn_usage_corrections AS entry USING (tenant_id, history_id)
    WHERE {IN_TIME}"""
_LATE = f"""{_ENTRY} FROM wrtn_late_corrections AS late
    JOIN wrtn_usage_corrections AS entry USING (tenant_id, history_id, correction_id)
    JOIN wrtn_usages AS billed USING (tenant_id, history_id)
    WHERE late.tenant_id = %(tenant)s AND late.bill_time >= %(start)s AND late.bill_time < %(end)s"""
_PAGE = f"""
SELECT {", ".join(DETAIL)} FROM ({_USAGES} UNION ALL {_ENTRIES} UNION ALL {_LATE}) AS detail
WHERE (use_time, history_id, correction_id) > (%(after_time)s, %(after_id)s, %(after_correction)s)
ORDER BY use_time, history_id, correction_id LIMIT %(size)s
"""  # noqa: S608


class BilledDetail:
    """Each usage that a tenant is invoiced for, and each entry that corrects one."""

    def __init__(self, tx: Snapshot, tenant_id: UUID) -> None:
        self._tx = tx
        self._tenant_id = tenant_id

    async def page(
        self, start: datetime, end: datetime, after: Place, size: int
    ) -> tuple[list[tuple[Any, ...]], Place | None]:
        """Answers rows by time, each as `DETAIL` says, and where the next page begins, if there is one."""
        values = {"tenant": self._tenant_id, "start": start, "end": end, "size": size}
        values |= {"after_time": after[0], "after_id": after[1], "after_correction": after[2]}
        rows = await (await (await self._tx.driver()).execute(_PAGE, values)).fetchall()
        following = (rows[-1][0], rows[-1][1], rows[-1][-1]) if len(rows) == size else None
        return [(*row[:-1], row[-1] if row[-1] != _NONE else None) for row in rows], following

"""The statements of operations. Leases run on the database's clock, due times on the service's."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from chassis.database import Snapshot, Transaction


class Row(NamedTuple):
    """One operation."""

    tenant_id: UUID
    id: UUID
    kind: str
    state: str
    member_id: UUID | None
    request: bytes
    step: str
    done: int
    total: int
    message: str
    error: bytes | None
    result: dict[str, str]
    failures: int
    start_time: datetime
    cancel_time: datetime | None
    create_time: datetime
    update_time: datetime
    end_time: datetime | None


_FIELDS = ", ".join(Row._fields)
_INSERT = f"""
INSERT INTO wrtn_operations ({_FIELDS}, key, due_time)
VALUES (%(tenant_id)s, %(id)s, %(kind)s, 'PENDING', %(member_id)s, %(request)s, '', 0, %(total)s, '', NULL,
    '{{}}', 0, %(start)s, NULL, %(now)s, %(now)s, NULL, %(key)s, %(start)s)
ON CONFLICT (tenant_id, kind, key) WHERE end_time IS NULL DO NOTHING
"""  # noqa: S608
_LIVE = f"""
SELECT {_FIELDS} FROM wrtn_operations
WHERE tenant_id = %s AND kind = %s AND key = %s AND end_time IS NULL
"""  # noqa: S608
_GET = f"SELECT {_FIELDS} FROM wrtn_operations WHERE id = %s"  # noqa: S608
_LIST = f"""
SELECT {_FIELDS} FROM wrtn_operations
WHERE (%(kind)s = '' OR kind = %(kind)s)
  AND (%(time)s::timestamptz IS NULL OR (create_time, id) < (%(time)s, %(id)s))
ORDER BY create_time DESC, id DESC LIMIT %(limit)s
"""  # noqa: S608
_CANCEL = """
UPDATE wrtn_operations SET cancel_time = %(now)s, update_time = %(now)s, due_time = least(due_time, %(now)s),
    state = CASE state WHEN 'PENDING' THEN 'CANCELLED' ELSE state END,
    end_time = CASE state WHEN 'PENDING' THEN %(now)s END
WHERE id = %(id)s AND end_time IS NULL AND (state = 'PENDING' OR %(running)s)
"""

_FREE = "(lease_expire_time IS NULL OR lease_expire_time <= clock_timestamp())"
CLAIM = f"""
UPDATE wrtn_operations SET lease_holder = %(holder)s, lease_expire_time = clock_timestamp() + %(lease)s
WHERE (tenant_id, id) IN (
    SELECT tenant_id, id FROM wrtn_operations
    WHERE end_time IS NULL AND due_time <= %(now)s AND kind = ANY (%(kinds)s) AND {_FREE}
    ORDER BY due_time LIMIT %(most)s FOR UPDATE SKIP LOCKED)
RETURNING tenant_id, id
"""  # noqa: S608
EXTEND = """
UPDATE wrtn_operations SET lease_expire_time = clock_timestamp() + %(lease)s
WHERE tenant_id = %(tenant)s AND id = %(id)s AND lease_holder = %(holder)s AND end_time IS NULL
"""
RELEASE = """
UPDATE wrtn_operations SET lease_holder = NULL, lease_expire_time = NULL
WHERE tenant_id = %(tenant)s AND id = %(id)s AND lease_holder = %(holder)s
"""
_BEGIN = f"""
UPDATE wrtn_operations SET state = 'RUNNING', update_time = %(now)s
WHERE tenant_id = %(tenant)s AND id = %(id)s AND lease_holder = %(holder)s AND end_time IS NULL
RETURNING {_FIELDS}
"""  # noqa: S608
_ADVANCE = """
UPDATE wrtn_operations SET step = %(step)s, done = %(done)s, total = %(total)s, message = %(message)s,
    failures = 0, update_time = %(now)s
WHERE tenant_id = %(tenant)s AND id = %(id)s AND lease_holder = %(holder)s AND end_time IS NULL
RETURNING cancel_time
"""
_END = """
UPDATE wrtn_operations SET state = %(state)s, error = %(error)s, result = %(result)s, end_time = %(now)s,
    update_time = %(now)s, request = '', step = '', lease_holder = NULL, lease_expire_time = NULL
WHERE tenant_id = %(tenant)s AND id = %(id)s AND lease_holder = %(holder)s AND end_time IS NULL
"""
_AGAIN = """
UPDATE wrtn_operations SET due_time = CASE WHEN cancel_time IS NULL THEN %(due)s ELSE %(now)s END,
    message = %(message)s, failures = failures + %(failed)s, update_time = %(now)s, lease_holder = NULL,
    lease_expire_time = NULL
WHERE tenant_id = %(tenant)s AND id = %(id)s AND lease_holder = %(holder)s AND end_time IS NULL
"""


class OperationRows:
    """The operations that a transaction may see."""

    def __init__(self, tx: Snapshot) -> None:
        self._tx = tx

    async def get(self, operation_id: UUID) -> Row | None:
        """Answers the operation."""
        return await self._one(_GET, (operation_id,))

    async def live(self, tenant_id: UUID, kind: str, key: str) -> Row | None:
        """Answers the operation with this key that has not ended."""
        return await self._one(_LIVE, (tenant_id, kind, key))

    async def newest(self, kind: str, after: tuple[datetime, UUID] | None, limit: int) -> list[Row]:
        """Lists operations, of this kind if one is named."""
        time, id_ = after or (None, None)
        values = {"kind": kind, "time": time, "id": id_, "limit": limit}
        async with (await self._tx.driver()).cursor(row_factory=class_row(Row)) as cursor:
            return await (await cursor.execute(_LIST, values)).fetchall()

    async def add(self, values: dict[str, Any]) -> bool:
        """Inserts an operation; false if one with the same key has not ended yet."""
        return await self._execute(_INSERT, values)

    async def cancel(self, operation_id: UUID, *, running: bool) -> bool:
        """Asks for the end, or ends what has not begun; false if there is nothing to cancel."""
        return await self._execute(_CANCEL, {"id": operation_id, "running": running, "now": self._tx.now})

    async def _one(self, query: str, values: Any) -> Row | None:
        async with (await self._tx.driver()).cursor(row_factory=class_row(Row)) as cursor:
            return await (await cursor.execute(query.encode(), values)).fetchone()

    async def _execute(self, statement: str, values: dict[str, Any]) -> bool:
        return (await (await self._tx.driver()).execute(statement.encode(), values)).rowcount == 1


class Held(NamedTuple):
    """An operation under our lease; every change is refused once another holds it."""

    tenant_id: UUID
    id: UUID
    holder: str

    @property
    def values(self) -> dict[str, Any]:
        """What each statement names it by."""
        return {"tenant": self.tenant_id, "id": self.id, "holder": self.holder}

    async def begin(self, tx: Transaction) -> Row | None:
        """Marks it as running and answers it; None if the lease is lost."""
        async with (await tx.driver()).cursor(row_factory=class_row(Row)) as cursor:
            found = await cursor.execute(_BEGIN.encode(), self.values | {"now": tx.now})
            return await found.fetchone()

    async def advance(
        self, tx: Transaction, step: str, done: int, total: int, message: str
    ) -> tuple[datetime | None] | None:
        """Keeps the step; answers when cancelling was asked for, in a tuple, or None if the lease is lost."""
        values = {"step": step, "done": done, "total": total, "message": message, "now": tx.now}
        cursor = await (await tx.driver()).execute(_ADVANCE, self.values | values)
        row = await cursor.fetchone()
        return (row[0],) if row is not None else None

    async def end(self, tx: Transaction, state: str, error: bytes | None, result: dict[str, str]) -> bool:
        """Ends it; false if the lease is lost."""
        values = {"state": state, "error": error, "result": Jsonb(result), "now": tx.now}
        return (await (await tx.driver()).execute(_END, self.values | values)).rowcount == 1

    async def again(self, tx: Transaction, due: datetime, message: str, *, failed: bool) -> None:
        """Gives it back, to be taken up when it is due."""
        values = {"due": due, "message": message, "failed": int(failed), "now": tx.now}
        await (await tx.driver()).execute(_AGAIN, self.values | values)

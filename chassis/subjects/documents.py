"""Documents of an export: rows as JSON, one object a line, read a page a transaction."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol
from uuid import UUID

from psycopg.rows import dict_row

from chassis.audit.recording import PRIVATE
from chassis.crypto import Keyring
from chassis.database import Database, Scope, Snapshot
from chassis.subjects.subject import Subject

PAGE = 200
Record = dict[str, Any]
Shown = Callable[[Snapshot, Record], Awaitable[Record]]
"""Decrypts what is encrypted in a row, and leaves out what is none of the member's business."""


class Document(Protocol):
    """One document of an export: whole lines, in parts that fit into a message."""

    @property
    def document(self) -> str:
        """Its name."""

    def read(self, db: Database) -> AsyncIterator[bytes]:
        """Yields its lines. No transaction is open while the reader works."""


@dataclass(frozen=True)
class Listing:
    """One document: the rows of a query, page by page.

    The query selects `id`, and has `id > %(after)s` and `ORDER BY id LIMIT %(page)s`; no row may be missed
    because another was written meanwhile. `shown` makes a record of a row; without it the row is shown.
    """

    document: str
    scope: Scope
    query: str
    values: Mapping[str, Any] = field(default_factory=dict)
    shown: Shown | None = None

    async def read(self, db: Database) -> AsyncIterator[bytes]:
        """Yields whole lines. No transaction is open while the reader works."""
        after = UUID(int=0)
        while True:
            async with db.snapshot(self.scope) as snapshot:
                rows = await self._page(snapshot, after)
                records = [await self.shown(snapshot, dict(row)) if self.shown else row for row in rows]
            if records:
                yield b"".join(line(record) for record in records)
            if len(rows) < PAGE:
                return
            after = rows[-1]["id"]

    async def _page(self, snapshot: Snapshot, after: UUID) -> list[Record]:
        values = {**self.values, "after": after, "page": PAGE}
        async with (await snapshot.driver()).cursor(row_factory=dict_row) as cursor:
            await cursor.execute(self.query.encode(), values)
            return await cursor.fetchall()


def line(record: Record) -> bytes:
    """Writes one record; ids, times and decimals as text, and no bytes."""
    text = json.dumps(record, default=_plain, ensure_ascii=False, separators=(",", ":"))
    return text.encode() + b"\n"


_AUDIT = """
SELECT id, tenant_id, action, actor_kind, member_id, target_id, method, details, private, create_time
FROM wrtn_audit_entries WHERE tenant_id = ANY (%(tenants)s) AND id > %(after)s ORDER BY id LIMIT %(page)s
"""


def audited(subject: Subject, keyring: Keyring) -> Listing:
    """What every service has: the audit entries about the member and their personal accounts."""

    async def shown(snapshot: Snapshot, record: Record) -> Record:
        private = record.pop("private")
        # What others wrote, or from where they did it, is theirs.
        if private is not None and record["member_id"] == subject.member_id:
            key = await keyring.key(snapshot, record["tenant_id"])
            plain = json.loads(key.decrypt(private, PRIVATE, record["tenant_id"], record["id"]))
            record["details"] = {**record["details"], **plain}
        return record

    values = {"tenants": list(subject.owners)}
    return Listing("audit_entries", subject.own, _AUDIT, values, shown)


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, UUID | Decimal):
        return str(value)
    raise TypeError(f"a document holds no {type(value).__name__}")

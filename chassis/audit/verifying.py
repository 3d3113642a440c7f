"""Checking the chains of seals against the entries: what was changed, removed or inserted.

What it cannot see by itself: the newest entries removed together with their seals, since a shorter chain
is a good chain. `heads` are noted elsewhere for that, and given back as anchors.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from chassis.audit.chain import COLUMNS, START, seal
from chassis.database import Database, Scope, Snapshot

OUT_OF_TIME = timedelta(minutes=5)
"""Commits come out of order, by less than this: an entry older than the one sealed before it was put in."""

UNSEALED = timedelta(hours=1)
"""An entry that waits longer than this for its seal is not one that the service has written."""

_READ = f"""
SELECT seal.sequence, seal.entry_id, seal.hash, {", ".join(f"entry.{name}" for name in COLUMNS)}
FROM wrtn_audit_seals AS seal
LEFT JOIN wrtn_audit_entries AS entry ON entry.tenant_id = seal.tenant_id AND entry.id = seal.entry_id
WHERE seal.tenant_id = %s AND seal.sequence > %s ORDER BY seal.sequence LIMIT 1000
"""  # noqa: S608
_TENANTS = """
SELECT tenant_id FROM wrtn_audit_seals WHERE sequence = 1
UNION SELECT tenant_id FROM wrtn_audit_entries ORDER BY 1
"""
_UNSEALED = """
SELECT id FROM wrtn_audit_entries AS entry
WHERE tenant_id = %(tenant)s AND create_time < %(before)s AND NOT EXISTS (
    SELECT FROM wrtn_audit_seals WHERE tenant_id = entry.tenant_id AND entry_id = entry.id)
ORDER BY create_time, id
"""


@dataclass(frozen=True, slots=True)
class Anchor:
    """A head that was noted before: the chain must still have this hash at this sequence."""

    sequence: int
    hash: bytes


@dataclass
class Finding:
    """What is wrong with one tenant's chain, and where it ends."""

    tenant_id: UUID
    sequence: int = 0
    head: bytes = START
    wrong: list[str] = field(default_factory=list)


async def verify(
    worker: Database, *, tenant_id: UUID | None = None, anchors: Mapping[UUID, Anchor] | None = None
) -> AsyncIterator[Finding]:
    """Walks the chain of one tenant, or of each; yields a finding a tenant, good ones included."""
    noted = anchors or {}
    async with worker.snapshot(Scope()) as snapshot:
        found = [tenant_id] if tenant_id else await _tenants(snapshot)
    for each in [*found, *(set() if tenant_id else noted.keys() - set(found))]:
        async with worker.snapshot(Scope()) as snapshot:
            yield await _Walk(snapshot, each, noted.get(each)).walk()


class _Walk:
    """The walk along one chain."""

    def __init__(self, snapshot: Snapshot, tenant_id: UUID, anchor: Anchor | None) -> None:
        self._snapshot = snapshot
        self._finding = Finding(tenant_id)
        self._anchor = anchor
        self._latest: datetime | None = None

    async def walk(self) -> Finding:
        finding = self._finding
        while rows := await self._read(_READ, (finding.tenant_id, finding.sequence)):
            for row in rows:
                self._step(row)
        if self._anchor is not None and finding.sequence < self._anchor.sequence:
            finding.wrong.append(f"cut off after {finding.sequence}: {self._anchor.sequence} were sealed")
        before = self._snapshot.now - UNSEALED
        for (entry_id,) in await self._read(_UNSEALED, {"tenant": finding.tenant_id, "before": before}):
            finding.wrong.append(f"{entry_id} inserted: it was never sealed")
        return finding

    def _step(self, row: tuple[Any, ...]) -> None:
        sequence, entry_id, kept, *entry = row
        finding = self._finding
        for missing in range(finding.sequence + 1, sequence):
            finding.wrong.append(f"sequence {missing} removed, with its entry")
        if entry[1] is None:
            finding.wrong.append(f"{entry_id} removed: its seal {sequence} is there")
        elif kept != seal(finding.head, sequence, entry) and sequence == finding.sequence + 1:
            finding.wrong.append(f"{entry_id} changed, or put in: it is not what seal {sequence} was made of")
        elif self._latest is not None and entry[-1] < self._latest - OUT_OF_TIME:
            finding.wrong.append(f"{entry_id} inserted: at {sequence} it stands out of time")
        if self._anchor is not None and sequence == self._anchor.sequence and kept != self._anchor.hash:
            finding.wrong.append(f"sequence {sequence} is not the anchor: the chain was made anew")
        if entry[-1] is not None:
            self._latest = max(entry[-1], self._latest or entry[-1])
        finding.sequence, finding.head = sequence, kept

    async def _read(self, query: str, values: Any) -> list[tuple[Any, ...]]:
        return await (await (await self._snapshot.driver()).execute(query, values)).fetchall()


async def _tenants(snapshot: Snapshot) -> list[UUID]:
    rows = await (await (await snapshot.driver()).execute(_TENANTS)).fetchall()
    return [row[0] for row in rows]

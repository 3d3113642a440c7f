"""Sealing what was audited into each tenant's hash chain, in the background; the worker role's job."""

from __future__ import annotations

from datetime import timedelta
from itertools import groupby
from operator import itemgetter
from uuid import UUID

from chassis.audit.chain import COLUMNS, START, seal
from chassis.database import Database, Scope
from chassis.database.transactions import Transaction

EVERY = timedelta(seconds=5)
"""How long an entry waits for its seal, about."""

BATCH = 1000

_WAITING = f"""
SELECT {", ".join(f"entry.{name}" for name in COLUMNS)}
FROM (SELECT tenant_id, entry_id FROM wrtn_audit_unsealed ORDER BY tenant_id, entry_id LIMIT %s) AS waiting
JOIN wrtn_audit_entries AS entry ON entry.tenant_id = waiting.tenant_id AND entry.id = waiting.entry_id
ORDER BY entry.tenant_id, entry.create_time, entry.id
"""  # noqa: S608
_HEADS = """
SELECT tenant_id, sequence, hash FROM unnest(%s::uuid[]) AS asked (id)
CROSS JOIN LATERAL (
    SELECT tenant_id, sequence, hash FROM wrtn_audit_seals WHERE tenant_id = asked.id
    ORDER BY sequence DESC LIMIT 1) AS head
"""
_ADD = "INSERT INTO wrtn_audit_seals (tenant_id, sequence, entry_id, hash) VALUES (%s, %s, %s, %s)"
_DONE = "DELETE FROM wrtn_audit_unsealed WHERE tenant_id = %s AND entry_id = %s"

Head = tuple[int, bytes]


async def seal_all(worker: Database) -> int:
    """Seals everything that waits, a batch a transaction; answers how many entries.

    Two that seal at the same time cannot fork a chain: they ask for the same sequence, and one fails.
    """
    sealed = 0
    while True:
        async with worker.transaction(Scope()) as tx:
            found = await _seal_batch(tx)
        sealed += found
        if found < BATCH:
            return sealed


async def _seal_batch(tx: Transaction) -> int:
    driver = await tx.driver()
    rows = await (await driver.execute(_WAITING, (BATCH,))).fetchall()
    if not rows:
        return 0
    heads = await _heads(tx, list({row[0] for row in rows}))
    seals = []
    for tenant_id, entries in groupby(rows, key=itemgetter(0)):
        sequence, before = heads.get(tenant_id, (0, START))
        for entry in entries:
            sequence += 1
            before = seal(before, sequence, entry)
            seals.append((tenant_id, sequence, entry[1], before))
    async with driver.pipeline(), driver.cursor() as cursor:
        await cursor.executemany(_ADD, seals)
        await cursor.executemany(_DONE, [(tenant_id, entry_id) for tenant_id, _, entry_id, _ in seals])
    return len(seals)


async def _heads(tx: Transaction, tenants: list[UUID]) -> dict[UUID, Head]:
    rows = await (await (await tx.driver()).execute(_HEADS, (tenants,))).fetchall()
    return {tenant_id: (sequence, hash_) for tenant_id, sequence, hash_ in rows}

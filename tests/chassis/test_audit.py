"""The audit trail: written with the change, unchangeable, sealed into a chain that shows every tampering."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import Enum
from uuid import UUID

import psycopg
import pytest
import pytest_asyncio

from chassis.audit import sealing
from chassis.audit.acts import PLATFORM
from chassis.audit.recording import PRIVATE, AuditTrail
from chassis.audit.verifying import Anchor, Finding, verify
from chassis.call import Call, Caller, CallerKind, current, enter, rests_on_staff
from chassis.clock import Clock
from chassis.crypto import Keyring
from chassis.database import Database, Scope, Transaction
from chassis.database.failures import TransactionConflict
from chassis.database.roles import conninfo
from chassis.embedded.postgres import Postgres
from chassis.testing.databases import ServiceDatabase
from wrtn.access.v1.access_pb2 import STAFF_RIGHT_MODERATOR
from wrtn.audit.v1 import audit_pb2
from wrtn.identity.v1.events_pb2 import AuditRecorded

NEW = Clock().new_id
KEYRING = Keyring(os.urandom(32))


class Shade(Enum):
    DARK = 1


@dataclass
class Trail:
    """A database with an auditor, and a superuser's way in, past the triggers."""

    database: ServiceDatabase
    admin_url: str

    @property
    def db(self) -> Database:
        return self.database.app

    async def tamper(self, statement: str, *values: object) -> None:
        async with await psycopg.AsyncConnection.connect(self.admin_url) as connection:
            for table in ("wrtn_audit_entries", "wrtn_audit_seals"):
                await connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
            await connection.execute(statement, values)

    async def act(self, tenant_id: UUID, action: str = "thing.done", reason: str = "") -> UUID:
        async with self.db.transaction(Scope()) as tx:
            return tx.audit(action, tenant_id=tenant_id, reason=reason)

    async def chain(self, tenant_id: UUID, length: int = 3) -> list[UUID]:
        """Writes entries and seals each by itself."""
        made = []
        for _ in range(length):
            made.append(await self.act(tenant_id))
            await sealing.seal_all(self.database.worker)
        return made

    async def finding(self, tenant_id: UUID, anchor: Anchor | None = None) -> Finding:
        anchors = {tenant_id: anchor} if anchor else {}
        found = [each async for each in verify(self.database.worker, tenant_id=tenant_id, anchors=anchors)]
        assert len(found) == 1
        return found[0]


@pytest_asyncio.fixture
async def trail(service_database: ServiceDatabase, postgres: Postgres) -> AsyncIterator[Trail]:
    service_database.app.auditor = AuditTrail("identity", KEYRING)
    yield Trail(service_database, conninfo(postgres.url(service_database.name)))


async def rows(db: Database, query: str, *tenants: UUID) -> list[tuple[object, ...]]:
    async with db.snapshot(Scope.of(*tenants)) as tx:
        return await (await (await tx.driver()).execute(query.encode())).fetchall()


def calling(caller: Caller) -> None:
    enter(Call("/wrtn.test.v1.Tests/Try", caller, None, "request-1", "", "203.0.113.9"))


async def test_an_entry_says_who_did_what_in_which_call(trail: Trail) -> None:
    tenant, target, other = NEW(), NEW(), NEW()
    caller = Caller(
        CallerKind.MEMBER, member_id=NEW(), login_id=NEW(), account_id=NEW(), staff=STAFF_RIGHT_MODERATOR
    )
    calling(caller)
    async with trail.db.transaction(Scope()) as tx:
        tx.audit(
            "thing.done",
            tenant_id=tenant,
            target_id=target,
            reason="Ann asked",
            other=other,
            shade=Shade.DARK,
        )
    ((member, login, account, staff, kind, method, request, details, found),) = await rows(
        trail.db,
        "SELECT member_id, login_id, account_id, staff_right, actor_kind, method, request_id, details,"
        " target_id FROM wrtn_audit_entries",
        tenant,
    )
    assert (member, login, account) == (caller.member_id, caller.login_id, caller.account_id)
    assert (staff, kind, method, request) == (
        STAFF_RIGHT_MODERATOR,
        "member",
        "/wrtn.test.v1.Tests/Try",
        "request-1",
    )
    assert (details, found) == ({"other": str(other), "shade": "DARK"}, target)


async def test_a_call_that_rests_on_staff_has_its_entry_with_the_commit_alone(trail: Trail) -> None:
    calling(Caller(CallerKind.MEMBER, member_id=NEW(), staff=STAFF_RIGHT_MODERATOR))
    rests_on_staff()
    async with trail.db.transaction(Scope()) as tx:
        tx.audit("thing.done", tenant_id=NEW())
        assert current().trail.missing, "it is not committed yet"
    assert not current().trail.missing


async def test_reasons_texts_and_addresses_are_encrypted_under_the_tenants_key(trail: Trail) -> None:
    tenant = NEW()
    calling(Caller(CallerKind.SERVICE, credential_id=NEW()))
    async with trail.db.transaction(Scope()) as tx:
        entry = tx.audit("thing.done", tenant_id=tenant, reason="Ann asked", name="Ann")
    async with trail.db.snapshot(Scope.of(tenant)) as tx2:
        driver = await tx2.driver()
        row = await (await driver.execute("SELECT private, details FROM wrtn_audit_entries")).fetchone()
        assert row is not None
        opened = (await KEYRING.key(tx2, tenant)).decrypt(row[0], PRIVATE, tenant, entry)
    assert b"Ann" not in row[0]
    assert row[1] == {}
    assert json.loads(opened) == {"client_address": "203.0.113.9", "name": "Ann", "reason": "Ann asked"}


async def test_of_an_erased_tenant_only_ids_are_kept(trail: Trail) -> None:
    tenant = NEW()
    async with trail.db.transaction(Scope.of(tenant)) as tx:
        await KEYRING.destroy(tx, tenant)
    await trail.act(tenant, reason="Ann asked")
    assert await rows(trail.db, "SELECT action, private FROM wrtn_audit_entries", tenant) == [
        ("thing.done", None)
    ]


async def test_outside_of_a_call_the_system_acts(trail: Trail) -> None:
    await trail.act(PLATFORM)
    assert await rows(trail.db, "SELECT actor_kind, method FROM wrtn_audit_entries", PLATFORM) == [
        ("system", "")
    ]


async def test_an_entry_is_written_with_the_change_or_not_at_all(trail: Trail) -> None:
    tenant = NEW()

    async def fail() -> None:
        async with trail.db.transaction(Scope()) as tx:
            tx.audit("thing.done", tenant_id=tenant)
            raise KeyError

    with pytest.raises(KeyError):
        await fail()
    assert await rows(trail.db, "SELECT 1 FROM wrtn_audit_entries", tenant) == []
    assert await rows(trail.database.worker, "SELECT 1 FROM wrtn_outbox") == []


async def test_the_event_of_an_entry_carries_ids_alone(trail: Trail) -> None:
    tenant, target = NEW(), NEW()
    async with trail.db.transaction(Scope()) as tx:
        tx.audit("thing.done", tenant_id=tenant, target_id=target, reason="Ann asked", name="Ann")
    ((subject, payload, owner),) = await rows(
        trail.database.worker, "SELECT subject, payload, tenant_id FROM wrtn_outbox"
    )
    assert isinstance(payload, bytes)
    entry = AuditRecorded.FromString(payload).entry
    assert (subject, owner) == ("wrtn.identity.v1.audit.recorded", tenant)
    assert (entry.service, entry.action, entry.target_id) == ("identity", "thing.done", str(target))
    assert entry.actor.kind == audit_pb2.ACTOR_KIND_SYSTEM
    assert b"Ann" not in payload


async def test_the_database_of_no_auditor_refuses_to_audit(service_database: ServiceDatabase) -> None:
    async with service_database.worker.transaction(Scope()) as tx:
        with pytest.raises(LookupError):
            tx.audit("thing.done", tenant_id=PLATFORM)


async def test_a_tenant_does_not_see_the_entries_of_another(trail: Trail) -> None:
    tenant = NEW()
    await trail.chain(tenant, 1)
    for table in ("wrtn_audit_entries", "wrtn_audit_seals"):
        assert len(await rows(trail.db, f"SELECT 1 FROM {table}", tenant)) == 1
        assert await rows(trail.db, f"SELECT 1 FROM {table}", NEW()) == []


async def refused(db: Database, tenant: UUID, statement: str) -> bool:
    try:
        async with db.transaction(Scope.of(tenant)) as tx:
            await (await tx.driver()).execute(statement.encode())
    except psycopg.Error:
        return True
    return False


async def test_neither_role_alters_entries_nor_seals_and_the_app_adds_no_seal(trail: Trail) -> None:
    tenant = NEW()
    await trail.chain(tenant, 1)
    for db in (trail.db, trail.database.worker):
        for table in ("wrtn_audit_entries", "wrtn_audit_seals"):
            assert await refused(db, tenant, f"DELETE FROM {table}")
            assert await refused(db, tenant, f"UPDATE {table} SET tenant_id = tenant_id")
            assert await refused(db, tenant, f"TRUNCATE {table}")
    forged = f"INSERT INTO wrtn_audit_seals VALUES ('{tenant}', 9, '{NEW()}', '')"
    assert await refused(trail.db, tenant, forged)
    entry = f"INSERT INTO wrtn_audit_entries SELECT * FROM wrtn_audit_entries WHERE tenant_id <> '{tenant}'"
    assert await refused(trail.database.worker, tenant, entry)


async def test_a_superuser_is_refused_too_while_the_triggers_stand(trail: Trail) -> None:
    await trail.chain(NEW(), 1)
    async with await psycopg.AsyncConnection.connect(trail.admin_url) as connection:
        with pytest.raises(psycopg.errors.RestrictViolation):
            await connection.execute("DELETE FROM wrtn_audit_entries")


async def test_an_untouched_chain_is_whole(trail: Trail) -> None:
    tenant, other = NEW(), NEW()
    await trail.chain(tenant)
    await trail.chain(other, 2)
    found = {each.tenant_id: each async for each in verify(trail.database.worker)}
    assert {each: (found[each].sequence, found[each].wrong) for each in found} == {
        tenant: (3, []),
        other: (2, []),
    }


async def test_sealing_twice_at_once_forks_no_chain(trail: Trail) -> None:
    tenant = NEW()
    for _ in range(20):
        await trail.act(tenant)

    async def attempt() -> int:
        try:
            return await sealing.seal_all(trail.database.worker)
        except (psycopg.errors.UniqueViolation, TransactionConflict):
            return 0

    await asyncio.gather(*[attempt() for _ in range(4)])
    await sealing.seal_all(trail.database.worker)
    finding = await trail.finding(tenant)
    assert (finding.sequence, finding.wrong) == (20, [])


@pytest.mark.parametrize(
    "change",
    [
        "action = 'other'",
        "member_id = gen_random_uuid()",
        "target_id = gen_random_uuid()",
        "staff_right = 2",
        "details = '{\"a\": 1}'",
        "private = 'x'",
        "create_time = create_time + interval '1 microsecond'",
        "method = '/x'",
        "request_id = 'x'",
        "trace_id = 'x'",
        "peer = 'x'",
        "actor_kind = 'peer'",
        "login_id = gen_random_uuid()",
        "account_id = gen_random_uuid()",
        "credential_id = gen_random_uuid()",
    ],
)
async def test_a_changed_entry_is_found(trail: Trail, change: str) -> None:
    tenant = NEW()
    _, middle, _ = await trail.chain(tenant)
    await trail.tamper(f"UPDATE wrtn_audit_entries SET {change} WHERE id = %s", middle)
    (wrong,) = (await trail.finding(tenant)).wrong
    assert wrong.startswith(f"{middle} changed")


async def test_a_removed_entry_is_found(trail: Trail) -> None:
    tenant = NEW()
    _, middle, _ = await trail.chain(tenant)
    await trail.tamper("DELETE FROM wrtn_audit_entries WHERE id = %s", middle)
    assert (await trail.finding(tenant)).wrong == [f"{middle} removed: its seal 2 is there"]


async def test_an_entry_removed_with_its_seal_is_found(trail: Trail) -> None:
    tenant = NEW()
    _, middle, _ = await trail.chain(tenant)
    await trail.tamper("DELETE FROM wrtn_audit_entries WHERE id = %s", middle)
    await trail.tamper("DELETE FROM wrtn_audit_seals WHERE entry_id = %s", middle)
    assert (await trail.finding(tenant)).wrong == ["sequence 2 removed, with its entry"]
    await trail.tamper("UPDATE wrtn_audit_seals SET sequence = 2 WHERE sequence = 3")
    (wrong,) = (await trail.finding(tenant)).wrong
    assert "changed, or put in" in wrong


_COPY = """
INSERT INTO wrtn_audit_entries
SELECT tenant_id, %s, action, actor_kind, member_id, account_id, login_id, credential_id, peer, staff_right,
    target_id, method, request_id, trace_id, details, private, create_time - interval '2 hours'
FROM wrtn_audit_entries WHERE id = %s
"""


async def test_an_inserted_entry_without_seal_is_found(trail: Trail) -> None:
    tenant, forged = NEW(), NEW()
    (_, _, last) = await trail.chain(tenant)
    await trail.tamper(_COPY, forged, last)
    assert (await trail.finding(tenant)).wrong == [f"{forged} inserted: it was never sealed"]


async def test_an_inserted_entry_that_was_queued_for_a_seal_is_found(trail: Trail) -> None:
    tenant, forged = NEW(), NEW()
    (_, _, last) = await trail.chain(tenant)
    await trail.tamper(_COPY, forged, last)
    await trail.tamper("INSERT INTO wrtn_audit_unsealed VALUES (%s, %s)", tenant, forged)
    await sealing.seal_all(trail.database.worker)
    assert (await trail.finding(tenant)).wrong == [f"{forged} inserted: at 4 it stands out of time"]


async def test_an_inserted_seal_is_found(trail: Trail) -> None:
    tenant, forged = NEW(), NEW()
    (_, middle, _) = await trail.chain(tenant)
    await trail.tamper(_COPY, forged, middle)
    await trail.tamper("UPDATE wrtn_audit_seals SET entry_id = %s WHERE entry_id = %s", forged, middle)
    assert any(each.startswith(f"{forged} changed") for each in (await trail.finding(tenant)).wrong)


async def test_a_cut_off_end_is_found_by_an_anchor(trail: Trail) -> None:
    tenant = NEW()
    (_, _, last) = await trail.chain(tenant)
    noted = await trail.finding(tenant)
    anchor = Anchor(noted.sequence, noted.head)
    assert (await trail.finding(tenant, anchor)).wrong == []
    await trail.tamper("DELETE FROM wrtn_audit_entries WHERE id = %s", last)
    await trail.tamper("DELETE FROM wrtn_audit_seals WHERE entry_id = %s", last)
    assert (await trail.finding(tenant)).wrong == []
    assert (await trail.finding(tenant, anchor)).wrong == ["cut off after 2: 3 were sealed"]
    await trail.chain(tenant, 1)
    (wrong,) = (await trail.finding(tenant, anchor)).wrong
    assert "not the anchor" in wrong


async def test_the_command_prints_heads_and_fails_for_a_broken_chain(trail: Trail) -> None:
    tenant = NEW()
    _, middle, _ = await trail.chain(tenant)

    async def run() -> tuple[int | None, dict[str, object]]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "chassis.audit", "sample", "verify", "--tenant", str(tenant)),
            env=os.environ | {"WRTN_DATABASE_WORKER_URL": trail.database.urls.worker},
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await process.communicate()
        return process.returncode, json.loads(out)

    code, good = await run()
    assert (code, good["sealed"], good["wrong"]) == (0, 3, [])
    await trail.tamper("UPDATE wrtn_audit_entries SET action = 'other' WHERE id = %s", middle)
    code, bad = await run()
    assert code == 1
    assert bad["wrong"]


async def test_the_auditor_widens_the_scope_after_everything_else(trail: Trail) -> None:
    tenant, other = NEW(), NEW()

    async def seen(tx: Transaction) -> int:
        cursor = await (await tx.driver()).execute("SELECT 1 FROM wrtn_audit_entries")
        return len(await cursor.fetchall())

    await trail.act(other)
    async with trail.db.transaction(Scope.of(tenant)) as tx:
        tx.audit("thing.done", tenant_id=other)
        assert await seen(tx) == 0
    async with trail.db.transaction(Scope.of(tenant)) as tx:
        assert await seen(tx) == 0

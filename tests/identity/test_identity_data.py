"""A member's data: gathered from every service for them alone, and destroyed in every service for good."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import zipfile
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import grpc
import psycopg
import pytest
import pytest_asyncio

from chassis.blobs import Blobs
from chassis.clock import Clock
from chassis.crypto import KeyDestroyed
from chassis.database import Scope
from chassis.database.roles import conninfo
from chassis.embedded.nats import Nats
from chassis.embedded.postgres import Postgres
from chassis.service import Running
from chassis.settings import ServiceSettings
from chassis.testing.callers import Callers
from chassis.testing.databases import DatabaseFactory, ServiceDatabase
from chassis.testing.serving import Serve
from chassis.testing.waiting import until
from services.analytics import main as analytics
from services.billing import main as billing
from services.billing.settings import BillingSettings
from services.enterprise import main as enterprise
from services.enterprise.settings import EnterpriseSettings
from services.identity import admin, erasures, exports, subjects
from services.identity.models import Base, MemberState
from services.identity.settings import AdminSettings
from services.sessions import content
from services.sessions import main as sessions
from services.sessions.settings import SessionsSettings
from tests.identity.make import (
    Identity,
    MovableClock,
    SignedIn,
    as_superuser,
    member,
    published,
    reason,
    register,
    rows,
    serving,
    settings,
    sign_in,
    verify,
)
from tests.identity.smtp_server import Mailbox, code_in
from wrtn.identity.v1 import erasures_pb2, exports_pb2, members_pb2, suspensions_pb2
from wrtn.identity.v1.accounts_pb2 import OpenAccountRequest
from wrtn.identity.v1.erasures_pb2_grpc import ErasureServiceStub
from wrtn.identity.v1.exports_pb2_grpc import ExportServiceStub
from wrtn.identity.v1.operations_pb2_grpc import OperationServiceStub
from wrtn.operations.v1 import operations_pb2
from wrtn.operations.v1.operations_pb2 import Operation

if TYPE_CHECKING:
    from wrtn.identity.v1.erasures_pb2_grpc import ErasureServiceAsyncStub
    from wrtn.identity.v1.exports_pb2_grpc import ExportServiceAsyncStub
    from wrtn.identity.v1.operations_pb2_grpc import OperationServiceAsyncStub

NEW = Clock().new_id


@dataclass
class Suite:
    """All five services, of which identity is asked."""

    identity: Identity
    others: dict[str, Running[Any]]
    databases: dict[str, ServiceDatabase]
    clock: MovableClock
    blobs: Path
    exports: ExportServiceAsyncStub
    erasures: ErasureServiceAsyncStub
    operations: OperationServiceAsyncStub

    async def operation(self, operation_id: str, known: SignedIn) -> Operation:
        request = operations_pb2.GetOperationRequest(operation_id=operation_id)
        return await self.operations.GetOperation(request, metadata=known.metadata)

    async def state(self, operation_id: str) -> str:
        query = f"SELECT state FROM wrtn_operations WHERE id = '{operation_id}'"
        return str((await as_superuser(self.identity, query))[0][0])

    async def ended(self, operation_id: str, *, hurry: timedelta = timedelta()) -> str:
        """Waits for the end; the clock is moved on meanwhile if the work waits for time to pass."""

        async def done() -> bool:
            self.clock.ahead += hurry
            return await self.state(operation_id) not in ("PENDING", "RUNNING")

        await until(done, 40)
        return await self.state(operation_id)

    async def chat(self, tenant: UUID, account: UUID, member_id: UUID, title: str, body: str) -> None:
        """Puts a session with one history into sessions."""
        session, history = NEW(), NEW()
        runtime = self.others["sessions"].runtime
        async with runtime.db.transaction(Scope.of(tenant)) as tx:
            key = await runtime.keyring.key(tx, tenant)
            driver = await tx.driver()
            await driver.execute(
                "INSERT INTO wrtn_chat_sessions (tenant_id, id, account_id, opener_member_id, model, title,"
                " create_time, update_time, last_activity_time)"
                " VALUES (%s, %s, %s, %s, 'm', %s, now(), now(), now())",
                (tenant, session, account, member_id, content.seal_title(key, session, title)),
            )
            sealed = content.seal_body(key, str(session), str(history), body)
            await driver.execute(
                "INSERT INTO wrtn_histories (tenant_id, id, chat_session_id, sequence, connection_id,"
                " attribution_id, type, body, create_time)"
                " VALUES (%s, %s, %s, 1, %s, %s, 'message', %s, now())",
                (tenant, history, session, NEW(), NEW(), sealed),
            )

    async def download(self, export_id: str, known: SignedIn) -> bytes:
        request = exports_pb2.DownloadExportRequest(export_id=export_id)
        call = self.exports.DownloadExport(request, metadata=known.metadata)
        return b"".join([part.data async for part in call])

    async def export(self, known: SignedIn) -> Operation:
        begun = await self.exports.ExportMyData(exports_pb2.ExportMyDataRequest(), metadata=known.metadata)
        assert await self.ended(begun.id) == "SUCCEEDED"
        return await self.operation(begun.id, known)

    async def erase(self, known: SignedIn, member_id: str, **fields: Any) -> Operation:
        request = erasures_pb2.EraseMemberRequest(member_id=member_id, **fields)
        return await self.erasures.EraseMember(request, metadata=known.metadata)

    async def administrator(self) -> SignedIn:
        known = await member(self.identity)
        runtime = self.identity.running.runtime
        member_id = UUID(known.member_id)
        asked = admin.parser().parse_args(["appoint-administrator", "--email", known.email])
        await asked.run(admin.Admin(runtime.db, runtime.keyring, runtime.clock), asked)
        runtime.principals.drop([member_id])
        return known

    async def erased(self, known: SignedIn) -> Operation:
        """Has an administrator erase a member."""
        decider = await self.administrator()
        begun = await self.erase(decider, known.member_id, reason="asked by letter")
        assert await self.ended(begun.id, hurry=timedelta(seconds=5)) == "SUCCEEDED"
        return await self.operation(begun.id, await sign_in(self.identity, decider.email))


SERVICES: dict[str, tuple[type[ServiceSettings], Any]] = {
    "enterprise": (EnterpriseSettings, enterprise.wire),
    "sessions": (SessionsSettings, sessions.wire),
    "billing": (BillingSettings, billing.wire),
    "analytics": (ServiceSettings, analytics.wire),
}


@pytest_asyncio.fixture
async def suite(
    database: DatabaseFactory,
    nats: Nats,
    mailbox: Mailbox,
    callers: Callers,
    clock: MovableClock,
    postgres: Postgres,
    serve: Serve,
    tmp_path: Path,
) -> AsyncIterator[Suite]:
    databases = {name: await database(name) for name in (*SERVICES, "identity")}
    others = {
        name: await serve(name, kind, wire, database=databases[name], clock=clock)
        for name, (kind, wire) in SERVICES.items()
    }
    chosen = replace(
        settings(databases["identity"], nats, mailbox, callers, tmp_path),
        enterprise_address=others["enterprise"].address,
        sessions_address=others["sessions"].address,
        billing_address=others["billing"].address,
        analytics_address=others["analytics"].address,
    )
    made = databases["identity"]
    async with AsyncExitStack() as stack:
        served = await stack.enter_async_context(
            serving(chosen, made, mailbox, callers, postgres.url(made.name), clock)
        )
        channel = await stack.enter_async_context(served.running.channel())
        stubs = ExportServiceStub(channel), ErasureServiceStub(channel), OperationServiceStub(channel)
        yield Suite(served, others, databases, clock, tmp_path / "blobs", *stubs)


def documents(archive: bytes) -> dict[str, list[dict[str, Any]]]:
    """Reads an archive, and checks it against its index."""
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        assert opened.testzip() is None
        index = json.loads(opened.read("index.json"))["documents"]
        found = {}
        for each in index:
            data = opened.read(each["file"])
            assert (each["size"], each["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
            found[each["file"]] = [json.loads(line) for line in data.splitlines()]
        assert sorted(opened.namelist()) == sorted(["index.json", *found])
        return found


async def refused(call: Awaitable[object]) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call
    return error.value.code(), reason(error.value)


async def test_an_export_holds_what_every_service_holds_about_the_member_and_nothing_of_others(
    suite: Suite,
) -> None:
    known, other = await member(suite.identity, display_name="Ann Lee"), await member(suite.identity)
    account = UUID(known.account_id)
    await suite.chat(account, account, UUID(known.member_id), "My plans", '{"text":"hello"}')
    await suite.chat(UUID(other.account_id), UUID(other.account_id), UUID(other.member_id), "Secret", '"no"')
    ended = await suite.export(known)
    assert (ended.progress.done, ended.progress.total) == (6, 6)
    archive = await suite.download(ended.result["export_id"], known)
    assert hashlib.sha256(archive).hexdigest() == ended.result["sha256"]
    assert len(archive) == int(ended.result["size"])
    found = documents(archive)
    assert found["identity/profile.jsonl"][0]["display_name"] == "Ann Lee"
    assert [each["address"] for each in found["identity/email_addresses.jsonl"]] == [known.email]
    assert [each["title"] for each in found["sessions/chat_sessions.jsonl"]] == ["My plans"]
    assert [each["body"] for each in found["sessions/histories.jsonl"]] == ['{"text":"hello"}']
    assert other.email.encode() not in archive
    assert "Secret" not in json.dumps(found)


async def test_of_enterprise_accounts_the_export_has_no_content(suite: Suite) -> None:
    known = await member(suite.identity)
    firm, account = NEW(), NEW()
    await suite.identity.accounts.OpenAccount(
        _opening(account, firm, known.member_id), metadata=suite.identity.peer()
    )
    await suite.chat(firm, account, UUID(known.member_id), "The firm's plans", '"firm"')
    found = documents(await suite.download((await suite.export(known)).result["export_id"], known))
    (session,) = found["sessions/chat_sessions.jsonl"]
    assert (session["account_id"], "title" in session) == (str(account), False)
    assert "sessions/histories.jsonl" not in found


async def test_a_member_alone_downloads_it_for_seven_days_and_is_told_by_mail(suite: Suite) -> None:
    known, other = await member(suite.identity), await member(suite.identity)
    export_id = (await suite.export(known)).result["export_id"]

    async def told() -> bool:
        return any("is ready" in str(each["Subject"]) for each in suite.identity.mailbox.to(known.email))

    await until(told)
    assert await refused(suite.download(export_id, other)) == (grpc.StatusCode.NOT_FOUND, "EXPORT_NOT_FOUND")
    assert await suite.download(export_id, known)
    suite.clock.ahead += timedelta(days=7, seconds=1)
    again = await sign_in(suite.identity, known.email)
    assert await refused(suite.download(export_id, again)) == (grpc.StatusCode.NOT_FOUND, "EXPORT_NOT_FOUND")


async def test_an_archive_is_encrypted_where_it_lies_and_its_parts_and_itself_go_in_time(
    suite: Suite,
) -> None:
    known = await member(suite.identity, display_name="Ann Lee")
    await suite.export(known)
    (file,) = _files(suite.blobs)
    assert not zipfile.is_zipfile(file)
    runtime = suite.identity.running.runtime
    suite.clock.ahead += timedelta(days=8)
    await exports.purge(runtime.db, Blobs(suite.blobs.as_uri(), "identity"))
    assert _files(suite.blobs) == []


async def test_asking_again_while_one_goes_on_answers_the_same_export(suite: Suite) -> None:
    known = await member(suite.identity)
    begun = await asyncio.gather(
        *[
            suite.exports.ExportMyData(exports_pb2.ExportMyDataRequest(), metadata=known.metadata)
            for _ in range(4)
        ]
    )
    assert len({each.id for each in begun}) == 1


class TestWithoutBilling:
    """An export while a service is down."""

    async def test_a_service_that_is_down_is_waited_for_and_named(
        self, suite: Suite, callers: Callers, nats: Nats
    ) -> None:
        runtime = suite.identity.running.runtime
        good = runtime.peers._addresses["billing"]
        runtime.peers._addresses["billing"] = "127.0.0.1:1"
        known = await member(suite.identity)
        begun = await suite.exports.ExportMyData(exports_pb2.ExportMyDataRequest(), metadata=known.metadata)

        async def waiting() -> bool:
            found = await suite.operation(begun.id, known)
            return "Waits for billing" in found.progress.message

        await until(waiting)
        assert (await suite.operation(begun.id, known)).progress.done == 3
        runtime.peers._addresses["billing"] = good
        runtime.peers._channels.pop(("billing", "wrtn.subjects.v1.DataSubjectService"))
        runtime.peers._stubs.clear()
        assert await suite.ended(begun.id, hurry=timedelta(seconds=1)) == "SUCCEEDED"


async def test_a_members_own_wish_waits_seven_days_and_can_be_undone(suite: Suite) -> None:
    known = await member(suite.identity)
    begun = await suite.erase(known, "me")
    assert begun.state == Operation.STATE_PENDING
    assert begun.start_time.seconds - begun.create_time.seconds == erasures.GRACE.total_seconds()
    request = operations_pb2.CancelOperationRequest(operation_id=begun.id)
    undone = await suite.operations.CancelOperation(request, metadata=known.metadata)
    assert undone.state == Operation.STATE_CANCELLED
    suite.clock.ahead += timedelta(days=8)
    assert (await sign_in(suite.identity, known.email)).member_id == known.member_id


async def test_after_the_grace_a_member_is_erased(suite: Suite) -> None:
    known = await member(suite.identity)
    begun = await suite.erase(known, "me")
    suite.clock.ahead += timedelta(days=7, seconds=1)
    assert await suite.ended(begun.id, hurry=timedelta(seconds=5)) == "SUCCEEDED"
    assert await _member_state(suite, known) == MemberState.ERASED


async def test_erasing_oneself_asks_for_a_proof(suite: Suite) -> None:
    known = await member(suite.identity)
    suite.clock.ahead += timedelta(minutes=11)
    assert (await refused(suite.erase(known, "me")))[1] == "PROOF_MISSING"


async def test_nobody_but_administrators_erases_another_and_they_say_why(suite: Suite) -> None:
    known, other, decider = (
        await member(suite.identity),
        await member(suite.identity),
        await suite.administrator(),
    )
    for wanted in (known.member_id, str(NEW())):
        assert await refused(suite.erase(other, wanted, reason="x")) == (
            grpc.StatusCode.NOT_FOUND,
            "MEMBER_NOT_FOUND",
        )
    assert (await refused(suite.erase(decider, known.member_id)))[1] == "ERASURE_REASON_MISSING"
    assert (await refused(suite.erase(decider, "me")))[1] == "MEMBER_IS_STAFF"


async def test_an_administrator_need_not_wait_for_the_grace_of_a_members_wish(suite: Suite) -> None:
    known = await member(suite.identity)
    own = await suite.erase(known, "me")
    await suite.erased(known)
    assert await suite.state(own.id) == "CANCELLED"
    assert await _member_state(suite, known) == MemberState.ERASED


async def test_what_was_of_an_erased_member_can_be_read_nowhere(suite: Suite) -> None:
    known = await member(suite.identity, display_name="Ann Lee")
    account = UUID(known.account_id)
    await suite.chat(account, account, UUID(known.member_id), "My plans", '{"text":"hello"}')
    await suite.erased(known)
    for name, owners in (("identity", (UUID(known.member_id), account)), ("sessions", (account,))):
        running = suite.identity.running if name == "identity" else suite.others[name]
        runtime: Any = running.runtime
        async with runtime.db.snapshot(Scope.of(*owners)) as snapshot:
            for owner in owners:
                with pytest.raises(KeyDestroyed):
                    await runtime.keyring.key(snapshot, owner)
    for table in ("wrtn_emails", "wrtn_verified_addresses", "wrtn_refresh_tokens", "wrtn_mails"):
        query = f"SELECT 1 FROM {table} WHERE member_id = '{known.member_id}'"
        assert await as_superuser(suite.identity, query) == []
    (code,) = (await rows(suite.identity, "SELECT code FROM wrtn_accounts", known.member_id))[0]
    assert code.startswith("erased-")


async def test_an_erased_members_address_is_free_and_their_tokens_are_refused(suite: Suite) -> None:
    known = await member(suite.identity)
    await suite.erased(known)
    assert len(await published(suite.identity, "member.erased")) == 1
    got = suite.identity.members.GetMember(
        members_pb2.GetMemberRequest(member_id="me"), metadata=known.metadata
    )
    assert (await refused(got))[0] == grpc.StatusCode.UNAUTHENTICATED
    assert (await refused(sign_in(suite.identity, known.email)))[1] == "SIGN_IN_REFUSED"
    before = len(suite.identity.mailbox.to(known.email))
    await register(suite.identity, known.email)
    code = code_in(await suite.identity.mailbox.wait_for(known.email, before + 1))
    assert (await verify(suite.identity, code)).id != known.member_id


async def test_costs_and_the_enterprises_content_are_kept(suite: Suite) -> None:
    known = await member(suite.identity)
    firm, account = NEW(), NEW()
    await suite.identity.accounts.OpenAccount(
        _opening(account, firm, known.member_id), metadata=suite.identity.peer()
    )
    await suite.chat(firm, account, UUID(known.member_id), "The firm's plans", '"firm"')
    await suite.erased(known)
    runtime = suite.others["sessions"].runtime
    async with runtime.db.snapshot(Scope.of(firm)) as snapshot:
        key = await runtime.keyring.key(snapshot, firm)
        found = await (
            await (await snapshot.driver()).execute("SELECT id, title FROM wrtn_chat_sessions")
        ).fetchall()
        assert [content.open_title(key, id_, title) for id_, title in found] == ["The firm's plans"]


async def test_the_certificate_comes_after_every_confirmation_and_holds_ids_alone(suite: Suite) -> None:
    known = await member(suite.identity, display_name="Ann Lee")
    ended = await suite.erased(known)
    decider = await suite.administrator()
    request = erasures_pb2.GetErasureCertificateRequest(erasure_id=ended.result["erasure_id"])
    found = await suite.erasures.GetErasureCertificate(request, metadata=decider.metadata)
    assert hashlib.sha256(found.document.encode()).hexdigest() == found.sha256 == ended.result["sha256"]
    document = json.loads(found.document)
    assert (document["member_id"], document["personal_account_ids"]) == (known.member_id, [known.account_id])
    assert set(document["services"]) == {"identity", "enterprise", "sessions", "billing", "analytics"}
    assert document["services"]["identity"]["destroyed"]["emails"] == 1
    assert all(each["destroyed"]["keys"] == 2 for each in document["services"].values())
    assert "Ann" not in found.document
    assert known.email not in found.document
    listed = await suite.erasures.ListErasureCertificates(
        erasures_pb2.ListErasureCertificatesRequest(), metadata=decider.metadata
    )
    assert [each.id for each in listed.certificates] == [found.id]
    assert (
        await refused(
            suite.erasures.GetErasureCertificate(request, metadata=(await member(suite.identity)).metadata)
        )
    )[0] == grpc.StatusCode.PERMISSION_DENIED


async def test_no_certificate_is_written_before_every_service_has_confirmed(suite: Suite) -> None:
    runtime = suite.identity.running.runtime
    good = runtime.peers._addresses["analytics"]
    runtime.peers._addresses["analytics"] = "127.0.0.1:1"
    known, decider = await member(suite.identity), await suite.administrator()
    begun = await suite.erase(decider, known.member_id, reason="asked by letter")

    async def waiting() -> bool:
        return "analytics" in (await suite.operation(begun.id, decider)).progress.message

    await until(waiting)
    assert await as_superuser(suite.identity, "SELECT 1 FROM wrtn_erasure_certificates") == []
    assert (await suite.operation(begun.id, decider)).progress.done == 3
    runtime.peers._addresses["analytics"] = good
    runtime.peers._channels.pop(("analytics", "wrtn.subjects.v1.DataSubjectService"))
    runtime.peers._stubs.clear()
    assert await suite.ended(begun.id, hurry=timedelta(seconds=5)) == "SUCCEEDED"


async def test_an_erasure_waits_while_the_law_holds_the_data(suite: Suite) -> None:
    known, decider = await member(suite.identity), await suite.administrator()
    hold = {"member_id": known.member_id, "reason": members_pb2.Hold.REASON_LEGAL, "note": "court"}
    placed = suspensions_pb2.SuspendMemberRequest(**hold)  # type: ignore[arg-type]
    await suite.identity.suspensions.SuspendMember(placed, metadata=decider.metadata)
    begun = await suite.erase(decider, known.member_id, reason="asked by letter")

    async def waiting() -> bool:
        return "legal" in (await suite.operation(begun.id, decider)).progress.message

    await until(waiting)
    assert await _member_state(suite, known) == MemberState.SUSPENDED
    lifted = suspensions_pb2.ReinstateMemberRequest(**hold)  # type: ignore[arg-type]
    await suite.identity.suspensions.ReinstateMember(lifted, metadata=decider.metadata)
    suite.clock.ahead += timedelta(hours=1, seconds=1)
    assert await suite.ended(begun.id, hurry=timedelta(seconds=5)) == "SUCCEEDED"


async def test_the_journal_erases_again_what_a_restore_brought_back(suite: Suite) -> None:
    known = await member(suite.identity)
    account = UUID(known.account_id)
    await suite.chat(account, account, UUID(known.member_id), "My plans", '"hello"')
    backups = [(name, await _backup(suite, name)) for name in ("identity", "sessions")]
    await suite.erased(known)
    for name, backup in backups:
        await _restore(suite, name, backup)
        runtime: Any = suite.identity.running.runtime if name == "identity" else suite.others[name].runtime
        runtime.keyring._cache.clear()
    assert await _member_state(suite, known) == MemberState.ACTIVE
    chosen = suite.identity.running.runtime.settings
    asked = admin.parser().parse_args(["apply-erasures"])
    own = AdminSettings(database_url=chosen.database_url, key_file=chosen.key_file, blob_url=chosen.blob_url)
    await admin.perform(asked, own)

    async def again() -> bool:
        suite.clock.ahead += timedelta(seconds=5)
        query = "SELECT 1 FROM wrtn_operations WHERE kind = 'member.erase' AND end_time IS NULL"
        return await as_superuser(suite.identity, query) == []

    await until(again, 40)
    assert await _member_state(suite, known) == MemberState.ERASED
    runtime = suite.others["sessions"].runtime
    async with runtime.db.snapshot(Scope.of(account)) as snapshot:
        with pytest.raises(KeyDestroyed):
            await runtime.keyring.key(snapshot, account)


def test_of_every_table_with_a_member_it_is_decided_what_an_erasure_does() -> None:
    decided = {table.__tablename__ for table in subjects.DELETED} | {
        "wrtn_logins",
        "wrtn_suspensions",
        "wrtn_staff",
        "wrtn_staff_appointments",
        "wrtn_break_glasses",
        "wrtn_erasure_certificates",
    }
    found = {name for name, table in Base.metadata.tables.items() if "member_id" in table.columns}
    assert found - decided == set()


async def _member_state(suite: Suite, known: SignedIn) -> str:
    query = f"SELECT state FROM wrtn_members WHERE id = '{known.member_id}'"
    return str((await as_superuser(suite.identity, query))[0][0])


_RESTORED = ("wrtn_data_keys", "wrtn_members", "wrtn_emails", "wrtn_verified_addresses")


async def _backup(suite: Suite, name: str) -> dict[str, list[bytes]]:
    """Copies the rows of some tables aside."""
    found = {}
    async with await psycopg.AsyncConnection.connect(_url(suite, name)) as connection:
        for table in _RESTORED if name == "identity" else _RESTORED[:1]:
            async with connection.cursor().copy(f"COPY {table} TO STDOUT") as copy:
                found[table] = [bytes(part) async for part in copy]
    return found


async def _restore(suite: Suite, name: str, backup: dict[str, list[bytes]]) -> None:
    """Puts the rows back as they were, whatever has become of them since."""
    async with await psycopg.AsyncConnection.connect(_url(suite, name)) as connection:
        await connection.execute("SET session_replication_role = replica")
        for table, parts in backup.items():
            await connection.execute(f"DELETE FROM {table}")
            async with connection.cursor().copy(f"COPY {table} FROM STDIN") as copy:
                for part in parts:
                    await copy.write(part)


def _url(suite: Suite, name: str) -> str:
    made = suite.databases[name].name
    return conninfo(suite.identity.admin_url).replace(suite.databases["identity"].name, made)


def _opening(account: UUID, firm: UUID, member_id: str) -> Any:
    return OpenAccountRequest(account_id=str(account), enterprise_id=str(firm), member_id=member_id)


def _files(folder: Path) -> list[Path]:
    return [each for each in folder.rglob("*") if each.is_file()]

"""What is deleted, brought back, held and purged, and when."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

import grpc
import psycopg.errors as pg
import pytest
import pytest_asyncio

from chassis.blobs import Blobs
from chassis.database import Scope
from chassis.events.envelope import Event
from chassis.testing.callers import Known
from chassis.testing.waiting import until
from services.sessions import purging
from services.sessions.files.clearing import Clearing
from services.sessions.purging import Purging
from tests.sessions.make import MODEL, RECORD, Session, Sessions, refusal, tokens
from tests.usage import NEW, NOON, publish
from wrtn.access.v1.access_pb2 import DUTY_SECURITY, TITLE_MANAGER, TITLE_MEMBER, TITLE_OWNER
from wrtn.audit.v1.audit_pb2 import AuditEntry
from wrtn.billing.v1.events_pb2 import SubscriptionChanged
from wrtn.billing.v1.plans_pb2 import PlanLimits
from wrtn.sessions.v1 import chat_sessions_pb2 as pb
from wrtn.sessions.v1 import legal_holds_pb2, retention_pb2
from wrtn.sessions.v1.legal_holds_pb2_grpc import LegalHoldServiceStub
from wrtn.sessions.v1.retention_pb2_grpc import RetentionServiceStub

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOT_FOUND = (grpc.StatusCode.NOT_FOUND, "SESSION_NOT_FOUND")


class Keeping:
    """A session of an employee with something said in it, and the owner of the enterprise."""

    def __init__(self, sessions: Sessions, session: Session, owner: Known) -> None:
        self.sessions = sessions
        self.session = session
        self.owner = owner
        self.tenant = session.owner.enterprise_id
        runtime = sessions.running.runtime
        blobs = Blobs(runtime.settings.blob_url, "sessions")
        self.purging = Purging(runtime.db, runtime.worker, Clearing(runtime.db, runtime.worker, blobs))
        self.holds = LegalHoldServiceStub(sessions.running.channel())
        self.retention = RetentionServiceStub(sessions.running.channel())

    async def undelete(self, by: Known | None = None) -> pb.ChatSession:
        """Brings the session back."""
        request = pb.UndeleteChatSessionRequest(chat_session_id=self.session.id)
        return await self.sessions.chats.UndeleteChatSession(
            request, metadata=(by or self.session.owner).metadata
        )

    async def age(self, **past: float) -> None:
        """Moves what the session says of its deletion and last activity into the past."""
        async with self.sessions.database.app.transaction(Scope.of(self.tenant)) as tx:
            await (await tx.driver()).execute(
                "UPDATE wrtn_chat_sessions SET delete_time = delete_time - %(by)s,"
                " last_activity_time = last_activity_time - %(by)s",
                {"by": timedelta(**past)},
            )

    async def keep(self, by: Known | None = None, **days: int) -> retention_pb2.Retention:
        """Sets the retention."""
        request = retention_pb2.UpdateRetentionRequest(
            retention=retention_pb2.Retention(enterprise_id=str(self.tenant), **cast("Any", days)),
            update_mask={"paths": list(days)},  # type: ignore[arg-type]
        )
        return await self.retention.UpdateRetention(request, metadata=(by or self.owner).metadata)

    async def plan(self, days: int, version: int, *, start: int = 1, tenant: UUID | None = None) -> None:
        """Has billing tell for how long the plan lets sessions be kept."""
        fact = SubscriptionChanged(limits=PlanLimits(retention_days=days))
        fact.start_time.FromSeconds(start)
        told = Event(NEW(), NOON, tenant or self.tenant, NEW(), version, fact)
        await publish(self.sessions.running.runtime.bus, "billing", [told])

    async def plan_days(self, by: Known | None = None) -> int:
        """Answers what the retention says of the plan."""
        by = by or self.owner
        request = retention_pb2.GetRetentionRequest(enterprise_id=str(by.enterprise_id))
        return (await self.retention.GetRetention(request, metadata=by.metadata)).plan_days

    async def hold(self, by: Known | None = None, **subject: str) -> legal_holds_pb2.LegalHold:
        """Places a hold."""
        request = legal_holds_pb2.CreateLegalHoldRequest(
            enterprise_id=str(self.tenant), reason="case 7", **subject
        )
        return await self.holds.CreateLegalHold(request, metadata=(by or self.owner).metadata)

    async def release(self, hold_id: str) -> legal_holds_pb2.LegalHold:
        """Ends a hold."""
        request = legal_holds_pb2.ReleaseLegalHoldRequest(
            enterprise_id=str(self.tenant), legal_hold_id=hold_id
        )
        return await self.holds.ReleaseLegalHold(request, metadata=self.owner.metadata)

    async def bodies(self) -> list[int]:
        """Answers the lengths of the bodies that are stored."""
        found = await self.sessions.rows(
            "SELECT octet_length(body) FROM wrtn_histories ORDER BY sequence", self.tenant
        )
        return [row[0] for row in found]

    async def audited(self) -> list[AuditEntry]:
        """Answers what was audited."""
        return await self.sessions.audited(self.tenant)


@pytest_asyncio.fixture(loop_scope="module")
async def keeping(sessions: Sessions) -> AsyncIterator[Keeping]:
    """A session with two histories, one of which cost tokens."""
    enterprise_id = sessions.clock.new_id()
    person = sessions.callers.employee(enterprise_id, TITLE_MEMBER)
    owner = sessions.callers.employee(enterprise_id, TITLE_OWNER)
    request = pb.CreateChatSessionRequest(model=MODEL, title="Plans")
    created = await sessions.chats.CreateChatSession(request, metadata=person.metadata)
    session = Session(created.id, person, sessions.callers.credential(RECORD))
    line = await sessions.attach(session, client="Firefox", address="192.0.2.1")
    await line.record(sessions.frame(), sessions.frame(token_usage=tokens(3, 4)))
    await line.finish()
    yield Keeping(sessions, session, owner)


async def test_a_deleted_session_is_listed_as_such_and_comes_back_whole(keeping: Keeping) -> None:
    sessions, session = keeping.sessions, keeping.session
    await sessions.delete(session)
    request = pb.ListChatSessionsRequest(deleted=True)
    page = await sessions.chats.ListChatSessions(request, metadata=session.owner.metadata)
    assert [(each.id, each.title) for each in page.chat_sessions] == [(session.id, "Plans")]
    assert page.chat_sessions[0].HasField("delete_time")
    back = await keeping.undelete()
    assert (back.title, back.HasField("delete_time")) == ("Plans", False)
    assert len(await sessions.histories(session)) == 2
    line = await sessions.attach(session)
    assert [ack.sequence for ack in await line.record(sessions.frame())] == [3]
    told = await sessions.outbox("chat_session.undeleted", keeping.tenant)
    assert [row[1] for row in told] == [UUID(session.id)]
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await keeping.undelete()
    assert refusal(error.value) == NOT_FOUND


async def test_nobody_else_brings_a_session_back(keeping: Keeping) -> None:
    await keeping.sessions.delete(keeping.session)
    for stranger in (keeping.owner, keeping.sessions.callers.member()):
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await keeping.undelete(stranger)
        assert refusal(error.value) == NOT_FOUND


async def test_after_thirty_days_a_deleted_session_is_purged_and_what_it_cost_stays(keeping: Keeping) -> None:
    sessions, session = keeping.sessions, keeping.session
    await sessions.delete(session)
    await keeping.age(days=29, hours=23)
    await keeping.purging.run()
    assert all(await keeping.bodies())
    await keeping.age(hours=2)
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await keeping.undelete()
    assert refusal(error.value) == NOT_FOUND
    await keeping.purging.run()
    assert await keeping.bodies() == [0, 0]
    columns = "title IS NULL, purged, output_total, last_sequence"
    assert await sessions.rows(f"SELECT {columns} FROM wrtn_chat_sessions", keeping.tenant) == [
        (True, True, 4, 2)
    ]
    kept = await sessions.rows(
        "SELECT output_total, type FROM wrtn_histories ORDER BY sequence", keeping.tenant
    )
    assert kept == [(None, "user_message"), (4, "user_message")]
    assert await sessions.rows("SELECT client, address FROM wrtn_connections", keeping.tenant) == [
        (None, None)
    ]
    await keeping.purging.run()
    told = await sessions.outbox("chat_session.purged", keeping.tenant)
    assert [row[1] for row in told] == [UUID(session.id)]
    page = await sessions.chats.ListChatSessions(
        pb.ListChatSessionsRequest(deleted=True), metadata=session.owner.metadata
    )
    assert not page.chat_sessions


async def test_a_purge_that_was_killed_goes_on_where_it_was(
    keeping: Keeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    await keeping.sessions.delete(keeping.session)
    await keeping.age(days=31)
    monkeypatch.setattr(purging, "_BODIES", 1)

    async def killed(self: Purging, tenant_id: UUID, session_id: UUID) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Purging, "_empty", killed)
        with pytest.raises(KeyboardInterrupt):
            await keeping.purging.run()
    assert all(await keeping.bodies())
    with pytest.raises(grpc.aio.AioRpcError):
        await keeping.undelete()
    await keeping.purging.run()
    assert await keeping.bodies() == [0, 0]


async def test_the_enterprise_says_how_long_sessions_are_kept_and_deleted_ones_too(keeping: Keeping) -> None:
    read = retention_pb2.GetRetentionRequest(enterprise_id=str(keeping.tenant))
    person = keeping.session.owner
    at_first = await keeping.retention.GetRetention(read, metadata=person.metadata)
    assert (at_first.keep_days, at_first.deleted_days) == (0, 30)
    await keeping.age(days=4000)
    await keeping.purging.run()
    assert all(await keeping.bodies())
    changed = await keeping.keep(keep_days=5000)
    assert (changed.keep_days, changed.deleted_days) == (5000, 30)
    await keeping.purging.run()
    assert all(await keeping.bodies())
    await keeping.keep(keep_days=3999)
    await keeping.purging.run()
    assert await keeping.bodies() == [0, 0]
    assert len(await keeping.sessions.outbox("chat_session.deleted", keeping.tenant)) == 1
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await keeping.sessions.histories(keeping.session)
    assert refusal(error.value) == NOT_FOUND
    assert [each.action for each in await keeping.audited()] == ["retention.changed"] * 2


async def test_a_shorter_time_for_deleted_sessions_counts_for_both_undeletion_and_purge(
    keeping: Keeping,
) -> None:
    await keeping.keep(deleted_days=2)
    await keeping.sessions.delete(keeping.session)
    await keeping.age(days=3)
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await keeping.undelete()
    assert refusal(error.value) == NOT_FOUND
    await keeping.purging.run()
    assert await keeping.bodies() == [0, 0]


async def test_a_plan_shortens_what_the_enterprise_says_and_older_news_of_it_count_for_nothing(
    keeping: Keeping,
) -> None:
    other = keeping.sessions.callers.employee(keeping.sessions.clock.new_id(), TITLE_OWNER)
    await keeping.age(days=100)
    for days, version, start in ((101, 3, 2), (101, 3, 2), (7, 2, 2), (7, 9, 1)):
        await keeping.plan(days, version, start=start)
    await keeping.plan(5, 1, tenant=other.enterprise_id)
    await until(lambda: _is(keeping.plan_days(other), 5))
    assert await keeping.plan_days() == 101
    await keeping.keep(keep_days=4000, deleted_days=90)
    await keeping.purging.run()
    assert all(await keeping.bodies())
    await keeping.plan(99, 4, start=2)
    await until(lambda: _is(keeping.plan_days(), 99))
    await keeping.purging.run()
    assert await keeping.bodies() == [0, 0]


async def test_a_plan_shortens_the_time_of_deleted_sessions_too(keeping: Keeping) -> None:
    await keeping.sessions.delete(keeping.session)
    await keeping.age(days=20)
    await keeping.plan(19, 1)
    await until(lambda: _is(keeping.plan_days(), 19))
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await keeping.undelete()
    assert refusal(error.value) == NOT_FOUND
    await keeping.purging.run()
    assert await keeping.bodies() == [0, 0]


async def _is(days: Awaitable[int], wanted: int) -> bool:
    return await days == wanted


@pytest.mark.parametrize("of", ["session", "account"])
async def test_what_is_held_is_not_purged_until_the_last_hold_is_released(keeping: Keeping, of: str) -> None:
    session = keeping.session
    subject = (
        {"chat_session_id": session.id} if of == "session" else {"account_id": str(session.owner.account_id)}
    )
    holds = [await keeping.hold(**cast("Any", subject)) for _ in range(2)]
    await keeping.sessions.delete(session)
    await keeping.age(days=4000)
    await keeping.keep(keep_days=1)
    for hold in holds:
        await keeping.purging.run()
        assert all(await keeping.bodies())
        released = await keeping.release(hold.id)
        assert released.HasField("release_time")
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await keeping.release(holds[0].id)
    assert refusal(error.value) == (grpc.StatusCode.NOT_FOUND, "HOLD_NOT_FOUND")
    await keeping.purging.run()
    assert await keeping.bodies() == [0, 0]
    actions = [each.action for each in await keeping.audited() if each.action.startswith("legal_hold")]
    assert actions == ["legal_hold.placed"] * 2 + ["legal_hold.released"] * 2


async def test_holds_are_listed_with_their_reasons_which_are_stored_encrypted(keeping: Keeping) -> None:
    hold = await keeping.hold(chat_session_id=keeping.session.id)
    request = legal_holds_pb2.ListLegalHoldsRequest(enterprise_id=str(keeping.tenant))
    assert (await keeping.holds.ListLegalHolds(request, metadata=keeping.owner.metadata)).legal_holds == [
        hold
    ]
    assert (hold.reason, hold.create_member_id) == ("case 7", str(keeping.owner.member_id))
    ((sealed,),) = await keeping.sessions.rows("SELECT reason FROM wrtn_legal_holds", keeping.tenant)
    assert b"case 7" not in bytes(sealed)


async def test_holds_are_for_owners_and_managers_with_the_duty_of_security(keeping: Keeping) -> None:
    callers, session = keeping.sessions.callers, keeping.session
    guard = callers.employee(keeping.tenant, TITLE_MANAGER, duties=[DUTY_SECURITY])
    manager = callers.employee(keeping.tenant, TITLE_MANAGER)
    assert (await keeping.hold(guard, chat_session_id=session.id)).id
    assert (await keeping.keep(guard, keep_days=7)).keep_days == 7
    for attempt in (keeping.hold(manager, chat_session_id=session.id), keeping.keep(manager, keep_days=1)):
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await attempt
        assert refusal(error.value) == (grpc.StatusCode.PERMISSION_DENIED, "NOT_ADMITTED")


async def test_what_the_enterprise_does_not_have_cannot_be_held(keeping: Keeping) -> None:
    foreign = await keeping.sessions.session()
    missing = str(keeping.sessions.clock.new_id())
    wanted: list[tuple[dict[str, Any], str]] = [
        ({"chat_session_id": foreign.id}, "SESSION_NOT_FOUND"),
        ({"chat_session_id": missing}, "SESSION_NOT_FOUND"),
        ({"account_id": str(foreign.owner.account_id)}, "ACCOUNT_NOT_FOUND"),
        ({"account_id": missing}, "ACCOUNT_NOT_FOUND"),
    ]
    for subject, why in wanted:
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await keeping.hold(**subject)
        assert refusal(error.value) == (grpc.StatusCode.NOT_FOUND, why)


@pytest.mark.parametrize(
    "change",
    ["SET body = ''", "SET body = body", "SET type = 'x'", "SET body = '', type = 'x'"],
)
async def test_a_body_is_emptied_by_a_purge_alone(keeping: Keeping, change: str) -> None:
    statement = f"UPDATE wrtn_histories {change}".encode()
    with pytest.raises((pg.InsufficientPrivilege, pg.RestrictViolation)):
        async with keeping.sessions.database.app.transaction(Scope.of(keeping.tenant)) as tx:
            await (await tx.driver()).execute(statement)

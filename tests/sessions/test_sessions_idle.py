"""Connections that nobody closes end by themselves: those without a stream, and those of a dead process."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import grpc
import pytest

from chassis.database import Scope
from services.sessions.idling import close_idle
from services.sessions.processes import close_dead
from tests.sessions.make import Session, Sessions, refusal

HOUR = timedelta(hours=1)


async def hours_pass(sessions: Sessions, session: Session) -> None:
    """Makes the connections and the session look two hours older; histories cannot be changed."""
    async with sessions.database.app.transaction(Scope.of(session.owner.enterprise_id)) as tx:
        driver = await tx.driver()
        await driver.execute("UPDATE wrtn_connections SET connect_time = connect_time - interval '2 hours'")
        await driver.execute(
            "UPDATE wrtn_chat_sessions SET last_activity_time = last_activity_time - interval '2 hours'"
        )


async def open_ones(sessions: Sessions, session: Session) -> set[str]:
    """Answers the connections of a session that are open."""
    return {each.id for each in await sessions.connections(session) if not each.HasField("disconnect_time")}


async def test_a_connection_over_which_nothing_comes_for_an_hour_ends_and_no_other(
    sessions: Sessions,
) -> None:
    session, elsewhere = await sessions.session(), await sessions.session()
    idle, busy = await sessions.open(session), await sessions.open(session)
    line, foreign = await sessions.attach(session), await sessions.open(elsewhere)
    await hours_pass(sessions, session)
    await hours_pass(sessions, elsewhere)
    young = await sessions.open(session)
    await sessions.append(session, busy.connection_id, sessions.frame())
    db = sessions.running.runtime.db
    await close_idle(db, HOUR)
    assert await open_ones(sessions, session) == {
        busy.connection_id,
        young.connection_id,
        line.opened.connection_id,
    }
    assert await open_ones(sessions, elsewhere) == set()
    with pytest.raises(grpc.aio.AioRpcError) as closed:
        await sessions.append(session, idle.connection_id, sessions.frame())
    assert refusal(closed.value) == (grpc.StatusCode.FAILED_PRECONDITION, "CONNECTION_CLOSED")
    with pytest.raises(grpc.aio.AioRpcError) as closed:
        await sessions.open(elsewhere, resumed_connection_id=foreign.connection_id)
    assert refusal(closed.value) == (grpc.StatusCode.NOT_FOUND, "CONNECTION_NOT_FOUND")
    await line.record(sessions.frame())
    line.call.cancel()


async def test_an_idle_connection_ends_at_its_last_append(sessions: Sessions) -> None:
    session = await sessions.session()
    used, unused = await sessions.open(session), await sessions.open(session)
    ack = await sessions.append(session, used.connection_id, sessions.frame())
    await close_idle(sessions.running.runtime.db, timedelta())
    ends = {each.id: each for each in await sessions.connections(session)}
    assert ends[used.connection_id].disconnect_time == ack.create_time
    assert ends[unused.connection_id].disconnect_time == ends[unused.connection_id].connect_time
    tenants = await sessions.rows("SELECT tenant_id FROM wrtn_process_tenants", session.owner.tenant_id)
    assert tenants == [(UUID(str(session.owner.tenant_id)),)]


async def test_the_connections_of_a_dead_process_end_at_its_last_sign_of_life(sessions: Sessions) -> None:
    session = await sessions.session()
    line = await sessions.attach(session)
    tenant = session.owner.enterprise_id
    runtime = sessions.running.runtime
    async with runtime.db.transaction(Scope()) as tx:
        dead = await (await tx.driver()).execute(
            "UPDATE wrtn_processes SET heartbeat_time = heartbeat_time - interval '1 hour'"
            " RETURNING heartbeat_time"
        )
        assert dead.rowcount == 1
    await close_dead(runtime.db, runtime.clock, timedelta(seconds=30))
    (connection,) = await sessions.connections(session)
    # It was opened after the last sign of life that the test made up.
    assert connection.disconnect_time == connection.connect_time
    assert await sessions.rows("SELECT count(*) FROM wrtn_process_tenants", tenant) == [(0,)]
    line.call.cancel()

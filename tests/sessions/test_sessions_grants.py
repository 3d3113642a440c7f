"""The enterprise's grants: no session, no ticket and no connection with a model that is denied."""

from __future__ import annotations

import asyncio
from uuid import UUID

import grpc
import pytest

from chassis.events.envelope import subject_of
from chassis.testing.callers import Known
from chassis.testing.waiting import until
from tests.sessions.make import MODEL, Line, Session, Sessions, reason, refusal, tokens
from wrtn.access.v1.access_pb2 import ROLE_MEMBER, TITLE_MEMBER
from wrtn.enterprise.v1.events_pb2 import AuditRecorded, CompanionAppointed, GrantChanged
from wrtn.sessions.v1.recorder_pb2 import Control, Frame

pytestmark = pytest.mark.asyncio(loop_scope="module")

DENIED = (grpc.StatusCode.PERMISSION_DENIED, "MODEL_NOT_GRANTED")
RESOURCE = f"model:{MODEL}"


async def denied(call: object) -> bool:
    """Says whether the call is refused for want of a grant."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call  # type: ignore[misc]
    return refusal(refused.value) == DENIED


async def told(line: Line) -> Control.Kind.ValueType:
    """Reads up to the control frame, with which the stream ends."""
    return (await line.rest())[-1].control.kind


async def tell(sessions: Sessions, event: GrantChanged | CompanionAppointed | AuditRecorded) -> None:
    """Publishes an event as enterprise's relay does; those who listen hear it at once."""
    bus = sessions.running.runtime.bus
    await bus.ready()
    await bus.publish(subject_of(type(event)), event.SerializeToString())


def employee(sessions: Sessions) -> tuple[Known, UUID, UUID]:
    """Makes an employee in a team below another; answers both teams, the upper one last."""
    enterprise_id = sessions.clock.new_id()
    above = sessions.callers.team(enterprise_id)
    team_id = sessions.callers.team(enterprise_id, above)
    return sessions.callers.employee(enterprise_id, TITLE_MEMBER, {team_id: ROLE_MEMBER}), team_id, above


async def test_a_denied_model_opens_no_session_gives_no_ticket_and_connects_nothing(
    sessions: Sessions,
) -> None:
    owner, team_id, _ = employee(sessions)
    session = await sessions.session(owner, team_id=team_id)
    ticket = await sessions.ticket(session)
    opened = await sessions.open(session)
    sessions.callers.denied.add(RESOURCE)
    assert await denied(sessions.session(owner, team_id=team_id))
    assert await denied(sessions.session(owner))
    assert await denied(sessions.ticket(session))
    assert await denied(sessions.open(session, ticket=ticket))
    assert await denied(sessions.open(session, resumed_connection_id=opened.connection_id))
    sessions.callers.denied.clear()
    assert (await sessions.open(session, ticket=ticket)).connection_id


async def test_a_personal_account_needs_no_grant(sessions: Sessions) -> None:
    sessions.callers.denied.add(RESOURCE)
    line = await sessions.attach(await sessions.session())
    await line.record(sessions.frame())


@pytest.mark.parametrize("level", ["team", "above", "enterprise"])
async def test_a_grant_that_is_taken_away_closes_the_streams_below_within_a_second(
    sessions: Sessions, level: str
) -> None:
    owner, team_id, above = employee(sessions)
    stranger, elsewhere, _ = employee(sessions)
    line = await sessions.attach(await sessions.session(owner, team_id=team_id))
    other = await sessions.attach(await sessions.session(stranger, team_id=elsewhere))
    await line.record(sessions.frame())
    sessions.callers.denied.add(RESOURCE)
    place = {"team": str(team_id), "above": str(above), "enterprise": ""}[level]
    await tell(sessions, GrantChanged(enterprise_id=str(owner.tenant_id), team_id=place, resource=RESOURCE))
    async with asyncio.timeout(1):
        assert await told(line) == Control.KIND_RIGHT_REVOKED
    sessions.callers.denied.clear()
    await other.record(sessions.frame())


async def test_a_grant_of_another_team_asks_nobody_here(sessions: Sessions) -> None:
    owner, team_id, _ = employee(sessions)
    line = await sessions.attach(await sessions.session(owner, team_id=team_id))
    sessions.callers.asked.clear()
    elsewhere = str(sessions.clock.new_id())
    await tell(sessions, GrantChanged(enterprise_id=str(owner.tenant_id), team_id=elsewhere))
    await tell(sessions, AuditRecorded())
    await line.record(sessions.frame())
    assert "access" not in sessions.callers.asked


async def test_an_appointment_of_the_holder_is_asked_for_at_once(sessions: Sessions) -> None:
    owner, team_id, _ = employee(sessions)
    session: Session = await sessions.session(owner, team_id=team_id)
    line = await sessions.attach(session)
    ((employee_id,),) = await sessions.rows("SELECT employee_id FROM wrtn_attributions", owner.tenant_id)
    sessions.callers.denied.add(RESOURCE)
    await tell(sessions, CompanionAppointed(enterprise_id=str(owner.tenant_id), employee_id=str(employee_id)))
    async with asyncio.timeout(1):
        assert await told(line) == Control.KIND_RIGHT_REVOKED


async def test_an_append_without_a_stream_is_refused_once_the_grant_is_gone(sessions: Sessions) -> None:
    owner, team_id, _ = employee(sessions)
    session = await sessions.session(owner, team_id=team_id)
    opened = await sessions.open(session)
    await sessions.append(session, opened.connection_id, sessions.frame())
    sessions.callers.denied.add(RESOURCE)
    await tell(sessions, GrantChanged(enterprise_id=str(owner.tenant_id), team_id=str(team_id)))

    async with asyncio.timeout(1):
        while True:
            try:
                await sessions.append(session, opened.connection_id, sessions.frame())
            except grpc.aio.AioRpcError as error:
                assert refusal(error) == DENIED  # noqa: PT017 - how often it passes before is no matter
                return


async def test_a_frame_with_another_model_needs_the_grant_of_that_model(sessions: Sessions) -> None:
    owner, team_id, _ = employee(sessions)
    session = await sessions.session(owner, team_id=team_id)
    line, opened = await sessions.attach(session), await sessions.open(session)

    def other() -> Frame:
        return sessions.frame(model="anthropic/claude-opus-4", token_usage=tokens(10, 2))

    sessions.callers.denied.add("model:anthropic/claude-opus-4")
    refused = other()
    await line.send(refused)
    rejection = (await line.read()).rejection
    assert (rejection.history_id, reason(rejection.status)) == (refused.id, "MODEL_NOT_GRANTED")
    assert await denied(sessions.append(session, opened.connection_id, refused))
    await line.record(sessions.frame(token_usage=tokens(1, 1)))
    sessions.callers.denied.clear()
    await tell(sessions, GrantChanged(enterprise_id=str(owner.tenant_id), team_id=str(team_id)))
    await until(lambda: accepted(line, other()))
    # What was granted a moment ago is denied again as soon as enterprise says so.
    sessions.callers.denied.add("model:anthropic/claude-opus-4")
    await tell(sessions, GrantChanged(enterprise_id=str(owner.tenant_id), team_id=str(team_id)))
    await until(lambda: refuses(line, other()))


async def accepted(line: Line, frame: Frame) -> bool:
    """Says whether the frame is acked."""
    await line.send(frame)
    return (await line.read()).HasField("ack")


async def refuses(line: Line, frame: Frame) -> bool:
    """Says whether the frame is rejected."""
    return not await accepted(line, frame)

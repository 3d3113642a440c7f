"""The reservation that a usage settles: it rides on the frame, and reaches billing with the usage."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import grpc
import pytest

from tests.sessions.make import Sessions, reason, refusal, tokens
from wrtn.sessions.v1.recorder_pb2 import Frame

pytestmark = pytest.mark.asyncio(loop_scope="module")


def reserved(sessions: Sessions, reservation_id: str, **fields: Any) -> Frame:
    """Makes a frame with usage that settles the reservation."""
    return sessions.frame(token_usage=tokens(10, 5), reservation_id=reservation_id, **fields)


async def test_the_reservation_goes_with_the_usage(sessions: Sessions) -> None:
    session = await sessions.session()
    line = await sessions.attach(session)
    reservation_id = str(uuid4())
    await line.record(reserved(sessions, reservation_id), sessions.frame(token_usage=tokens(1, 1)))
    told = [each.reservation_id for each in await sessions.told(session.owner.tenant_id)]
    assert told == [reservation_id, ""]
    rows = await sessions.rows(
        "SELECT reservation_id::text FROM wrtn_histories ORDER BY sequence", session.owner.enterprise_id
    )
    assert rows == [(reservation_id,), (None,)]


async def test_a_resent_frame_is_compared_with_its_reservation_too(sessions: Sessions) -> None:
    session = await sessions.session()
    line = await sessions.attach(session)
    frame = reserved(sessions, str(uuid4()).upper())
    (first,) = await line.record(frame)
    twin = Frame()
    twin.CopyFrom(frame)
    twin.reservation_id = frame.reservation_id.lower()
    assert await line.record(twin, twin) == [first, first]
    for other in (str(uuid4()), ""):
        twin.reservation_id = other
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await sessions.append(session, line.opened.connection_id, twin)
        assert refusal(error.value) == (grpc.StatusCode.ALREADY_EXISTS, "HISTORY_CONFLICT")
    assert len(await sessions.told(session.owner.tenant_id)) == 1


async def test_twins_in_one_batch_with_other_reservations_conflict(sessions: Sessions) -> None:
    session = await sessions.session()
    line = await sessions.attach(session)
    frame = reserved(sessions, str(uuid4()))
    twin = Frame()
    twin.CopyFrom(frame)
    twin.reservation_id = str(uuid4())
    await line.send(frame, twin)
    answers = [await line.read(), await line.read()]
    assert answers[0].HasField("ack")
    assert reason(answers[1].rejection.status) == "HISTORY_CONFLICT"


@pytest.mark.parametrize(
    ("frame", "why"),
    [
        ({"reservation_id": str(uuid4())}, "RESERVATION_UNUSED"),
        ({"reservation_id": "soon", "token_usage": tokens(1, 1)}, "REQUEST_INVALID"),
    ],
)
async def test_a_reservation_that_is_none_or_without_usage_is_refused_and_the_stream_goes_on(
    sessions: Sessions, frame: dict[str, Any], why: str
) -> None:
    session = await sessions.session()
    line = await sessions.attach(session)
    await line.send(sessions.frame(**frame), sessions.frame())
    refused = await line.read()
    assert reason(refused.rejection.status) == why, refused
    assert (await line.read()).ack.sequence == 1

"""What is used besides tokens, for models that are priced so: kept with its history, and told."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import grpc
import pytest

from tests.sessions.make import Session, Sessions, reason, refusal, tokens
from wrtn.sessions.v1.recorder_pb2 import Frame
from wrtn.sessions.v1.token_usage_pb2 import UsageUnits

pytestmark = pytest.mark.asyncio(loop_scope="module")

ALL = UsageUnits(cache_write_tokens=300, requests=2, images=3, seconds=4)


def changed(frame: Frame, **units: int) -> Frame:
    """Answers the frame with other units."""
    other = Frame()
    other.CopyFrom(frame)
    other.ClearField("units")
    if units:
        other.units.CopyFrom(UsageUnits(**units))
    return other


async def stored(sessions: Sessions, session: Session) -> list[tuple[Any, ...]]:
    """Answers the columns of what was used, a row a history."""
    return await sessions.rows(
        "SELECT input_total, cache_write_tokens, requests, images, seconds FROM wrtn_histories"
        " ORDER BY sequence",
        UUID(str(session.owner.enterprise_id)),
    )


async def test_units_are_stored_shown_and_told_and_the_sums_of_the_session_keep_their_shape(
    sessions: Sessions,
) -> None:
    session = await sessions.session()
    line = await sessions.attach(session)
    spent = str(uuid4())
    await line.record(
        sessions.frame(token_usage=tokens(1000, 20, cached=700), units=ALL),
        sessions.frame(units=UsageUnits(images=1), reservation_id=spent),
        sessions.frame(token_usage=tokens(5, 5)),
        sessions.frame(),
    )
    assert await stored(sessions, session) == [
        (1000, 300, 2, 3, 4),
        (0, 0, 0, 1, 0),
        (5, None, None, None, None),
        (None, None, None, None, None),
    ]
    shown = await sessions.histories(session)
    assert [each.units if each.HasField("units") else None for each in shown] == [
        ALL,
        UsageUnits(images=1),
        None,
        None,
    ]
    assert [each.HasField("token_usage") for each in shown] == [True, True, True, False]
    told = await sessions.told(session.owner.tenant_id)
    assert [each.units for each in told] == [ALL, UsageUnits(images=1), UsageUnits()]
    assert [each.HasField("units") for each in told] == [True, True, False]
    assert (told[1].tokens, told[1].reservation_id) == (tokens(0, 0), spent)
    assert await sessions.usage(session) == tokens(1005, 25, cached=700)


async def test_a_resent_frame_is_compared_with_its_units_too(sessions: Sessions) -> None:
    session = await sessions.session()
    line = await sessions.attach(session)
    frame = sessions.frame(token_usage=tokens(10, 5), units=UsageUnits(images=2))
    await line.send(frame, changed(frame, images=3))
    answers = [await line.read(), await line.read()]
    assert answers[0].ack.sequence == 1
    assert reason(answers[1].rejection.status) == "HISTORY_CONFLICT"
    assert (await line.record(frame))[0].sequence == 1
    for other in (changed(frame), changed(frame, images=2, seconds=1)):
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await sessions.append(session, line.opened.connection_id, other)
        assert refusal(error.value) == (grpc.StatusCode.ALREADY_EXISTS, "HISTORY_CONFLICT")
    assert len(await sessions.told(session.owner.tenant_id)) == 1


async def test_units_that_billing_could_not_price_are_refused_and_the_stream_goes_on(
    sessions: Sessions,
) -> None:
    session = await sessions.session()
    line = await sessions.attach(session)
    bad: list[tuple[dict[str, Any], str]] = [
        ({"units": UsageUnits(cache_write_tokens=1)}, "UNITS_INVALID"),
        (
            {"token_usage": tokens(10, 5, cached=8), "units": UsageUnits(cache_write_tokens=3)},
            "UNITS_INVALID",
        ),
        ({"units": UsageUnits(images=-1)}, "REQUEST_INVALID"),
    ]
    for fields, why in bad:
        await line.send(sessions.frame(**fields))
        assert reason((await line.read()).rejection.status) == why
    assert (await line.record(sessions.frame()))[0].sequence == 1
    assert await sessions.told(session.owner.tenant_id) == []

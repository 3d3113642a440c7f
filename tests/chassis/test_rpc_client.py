"""Calls to peers: the deadline and the trace go along, and only safe methods are repeated."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest

from chassis import telemetry
from chassis.access.sources import RightsUnavailable, Sources
from chassis.auth.peers import PeerSigner
from chassis.call import Call, current, enter
from chassis.rpc.client import PeerOutOfTime, Peers, service_config
from chassis.testing.callers import Callers
from chassis.testing.waiting import until
from tests.chassis.playing import Sample, pb, pb_grpc, served
from wrtn.identity.v1.principals_pb2 import ResolvePrincipalRequest


@asynccontextmanager
async def peers_of(callers: Callers, service: str, **addresses: str) -> AsyncIterator[Peers]:
    """The channels of one service to others."""
    peers = Peers(PeerSigner(service, callers.private_key(service), callers.clock), addresses)
    try:
        yield peers
    finally:
        await peers.close()


class Hop(Sample):
    """Passes each call on to the next service."""

    def __init__(self, peers: Peers) -> None:
        super().__init__()
        self._peers = peers
        self.traces: list[str | None] = []

    async def Anyone(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Asks the next service the same."""
        self.calls.append(current())
        self.traces.append(telemetry.traceparent())
        return await self._peers.stub(pb_grpc.SampleServiceStub, "next").Anyone(request)


class End(Sample):
    """The last service of the way."""

    def __init__(self) -> None:
        super().__init__()
        self.traces: list[str | None] = []

    async def Anyone(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Notes the trace and does what the text says."""
        self.traces.append(telemetry.traceparent())
        return await self._do(request)


@asynccontextmanager
async def chain(callers: Callers) -> AsyncIterator[tuple[Any, list[Hop], End]]:
    """Two services that pass on, and one at the end."""
    end = End()
    async with (
        served(callers, servicer=end, service="next") as third,
        peers_of(callers, "identity", next=third.address) as to_third,
        served(callers, servicer=Hop(to_third), service="next") as second,
        peers_of(callers, "billing", next=second.address) as to_second,
        served(callers, servicer=Hop(to_second)) as first,
    ):
        hops: Any = [first.sample, second.sample]
        yield first.stub, hops, end


async def test_the_deadline_goes_along_over_two_hops(callers: Callers) -> None:
    async with chain(callers) as (stub, hops, end):
        await stub.Anyone(pb.Text(text="hello"), timeout=3)
        deadlines = [call.deadline for call in (*hops[0].calls, *hops[1].calls, *end.calls)]
        assert len(deadlines) == 3
        for deadline in deadlines:
            assert deadline is not None
            assert 2 < deadline - time.monotonic() <= 3


async def test_no_work_goes_on_after_the_deadline_over_two_hops(callers: Callers) -> None:
    async with chain(callers) as (stub, _, end):
        started = time.monotonic()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Anyone(pb.Text(text="wait"), timeout=0.2)
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        await until(lambda: end.cancelled == 1)
        assert time.monotonic() - started < 0.5


async def test_the_peer_knows_who_calls_and_the_trace_goes_along(callers: Callers) -> None:
    async with chain(callers) as (stub, hops, end):
        trace_id = "0af7651916cd43dd8448eb211c80319c"
        await stub.Anyone(
            pb.Text(text="a"), metadata=(("traceparent", f"00-{trace_id}-b7ad6b7169203331-01"),)
        )
        assert hops[1].calls[0].caller.peer == "billing"
        assert end.calls[0].caller.peer == "identity"
        traces = [*hops[0].traces, *hops[1].traces, *end.traces]
        assert [str(trace).split("-")[1] for trace in traces] == [trace_id] * 3
        assert len({str(trace).split("-")[2] for trace in traces}) == 3


async def test_a_refusal_of_a_peer_that_is_a_defect_of_ours_stays_inside(callers: Callers) -> None:
    async with chain(callers) as (stub, _, _):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Anyone(pb.Text(text="crash"))
        assert caught.value.code() is grpc.StatusCode.INTERNAL
        assert "canary" not in str(caught.value.details())


async def test_an_unreachable_peer_is_unavailable(callers: Callers) -> None:
    async with (
        peers_of(callers, "billing", next="127.0.0.1:1") as peers,
        served(callers, servicer=Hop(peers)) as service,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await service.stub.Anyone(pb.Text(text="a"), timeout=3)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


class Flaky(Sample):
    """Is unavailable for the first calls."""

    def __init__(self, failures: int) -> None:
        super().__init__()
        self._failures = failures
        self.tried = 0

    async def _try(self, request: Any, context: Any) -> Any:
        self.tried += 1
        if self.tried <= self._failures:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "not now")
        return pb.Text(text="at last")

    Anyone = Change = _try


async def test_a_safe_method_is_repeated_and_another_is_not(callers: Callers) -> None:
    flaky = Flaky(failures=2)
    async with (
        served(callers, servicer=flaky) as service,
        peers_of(callers, "billing", sample=service.address) as peers,
    ):
        stub = peers.stub(pb_grpc.SampleServiceStub, "sample")
        assert (await stub.Anyone(pb.Text())).text == "at last"
        assert flaky.tried == 3
        flaky.tried = 0
        with pytest.raises(grpc.aio.AioRpcError):
            await stub.Change(pb.Text())
        assert flaky.tried == 1


def test_the_retries_come_from_the_descriptors() -> None:
    (rule,) = json.loads(service_config("sample.v1.SampleService"))["methodConfig"]
    assert rule["name"] == [
        {"service": "sample.v1.SampleService", "method": method} for method in ("Anyone", "Look")
    ]
    assert rule["retryPolicy"]["retryableStatusCodes"] == ["UNAVAILABLE"]
    assert json.loads(service_config("sample.v1.NoTeamService"))["methodConfig"] == []


async def test_a_call_without_time_left_is_not_made(callers: Callers) -> None:
    async with peers_of(callers, "billing", next="127.0.0.1:1") as peers:

        async def late() -> None:
            enter(Call("/sample.v1.SampleService/Echo", deadline=time.monotonic() - 1))
            await peers.stub(pb_grpc.SampleServiceStub, "next").Anyone(pb.Text())

        with pytest.raises(PeerOutOfTime):
            await asyncio.create_task(late())


async def test_rights_that_nobody_answers_for_are_unavailable(callers: Callers) -> None:
    async with peers_of(callers, "billing", identity="127.0.0.1:1") as peers:
        sources = Sources(peers)
        request = ResolvePrincipalRequest(credential_id=str(callers.clock.new_id()))
        with pytest.raises(RightsUnavailable):
            await sources.principal_of(request)
        with pytest.raises(RightsUnavailable):
            await sources.keys()

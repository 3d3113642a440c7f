"""What the interceptor does to each of the four call shapes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import pytest
import pytest_asyncio
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from google.rpc.status_pb2 import Status

from chassis.rpc.answers import STATUS_DETAILS
from chassis.rpc.serving import Gatekeeper, Limits
from chassis.testing.callers import Callers, Metadata
from chassis.testing.waiting import until
from tests.chassis.playing import Sample, Served, pb, served


@pytest_asyncio.fixture
async def service(callers: Callers) -> AsyncIterator[Served]:
    """The sample service."""
    async with served(callers) as running:
        yield running


Invoke = Callable[..., Any]


async def _unary(stub: Any, text: str, metadata: Metadata = (), **options: Any) -> list[str]:
    return [(await stub.Echo(pb.Text(text=text), metadata=metadata, **options)).text]


async def _down(stub: Any, text: str, metadata: Metadata = (), **options: Any) -> list[str]:
    return (await _all(stub.Count(pb.Text(text=text), metadata=metadata, **options)))[-1:]


async def _up(stub: Any, text: str, metadata: Metadata = (), **options: Any) -> list[str]:
    return [(await stub.Collect(iter([pb.Text(text=text)]), metadata=metadata, **options)).text]


async def _both(stub: Any, text: str, metadata: Metadata = (), **options: Any) -> list[str]:
    return await _all(stub.Chat(iter([pb.Text(text=text)]), metadata=metadata, **options))


async def _all(call: Any) -> list[str]:
    try:
        return [each.text async for each in call]
    finally:
        # grpcio forgets a call whose reader is cancelled just between the sending and the first read.
        call.cancel()


SHAPES = pytest.mark.parametrize("invoke", [_unary, _down, _up, _both])


async def refused(call: Any) -> tuple[grpc.StatusCode, ErrorInfo, Status]:
    """Answers how a call was refused."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    trailing: Any = dict(caught.value.trailing_metadata() or ())
    status = Status.FromString(trailing[STATUS_DETAILS])
    info = ErrorInfo()
    assert status.details[0].Unpack(info)
    return caught.value.code(), info, status


@SHAPES
async def test_a_good_call_is_answered(invoke: Invoke, service: Served, callers: Callers) -> None:
    member = callers.member()
    assert await invoke(service.stub, "hello", member.metadata) == ["hello"]
    call = service.sample.calls[0]
    assert call.caller.member_id == member.member_id
    assert call.caller.tenant_id == member.account_id
    assert service.gate.load.running == 0


@SHAPES
async def test_a_call_without_credential_is_unauthenticated(invoke: Invoke, service: Served) -> None:
    code, info, _ = await refused(invoke(service.stub, "hello"))
    assert (code, info.reason) == (grpc.StatusCode.UNAUTHENTICATED, "CREDENTIAL_MISSING")
    assert service.sample.calls == []


@SHAPES
async def test_a_domain_error_reaches_the_client_whole(
    invoke: Invoke, service: Served, callers: Callers
) -> None:
    code, info, status = await refused(invoke(service.stub, "fail", callers.member().metadata))
    assert (code, info.reason, info.domain) == (grpc.StatusCode.NOT_FOUND, "MESSAGE_MISSING", "wrtn")
    assert dict(info.metadata) == {"id": "7"}
    violations = BadRequest()
    assert status.details[1].Unpack(violations)
    assert violations.field_violations[0].field == "text"


@SHAPES
async def test_a_defect_is_answered_without_its_text(
    invoke: Invoke, service: Served, callers: Callers
) -> None:
    metadata = (*callers.member().metadata, ("x-request-id", "find-me-1"))
    code, info, status = await refused(invoke(service.stub, "crash", metadata))
    assert (code, info.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
    assert "canary" not in str(status)
    assert info.metadata["request_id"] == "find-me-1"


@SHAPES
async def test_an_invalid_request_never_reaches_the_handler(
    invoke: Invoke, service: Served, callers: Callers
) -> None:
    code, info, status = await refused(invoke(service.stub, "x" * 41, callers.member().metadata))
    assert (code, info.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_INVALID")
    violations = BadRequest()
    assert status.details[1].Unpack(violations)
    assert [each.field for each in violations.field_violations] == ["text"]
    assert service.sample.calls == []


@SHAPES
async def test_a_nul_character_is_refused(invoke: Invoke, service: Served, callers: Callers) -> None:
    code, _, _ = await refused(invoke(service.stub, "a\0b", callers.member().metadata))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert service.sample.calls == []


@SHAPES
async def test_a_deadline_stops_the_handler(invoke: Invoke, service: Served, callers: Callers) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await invoke(service.stub, "wait", callers.member().metadata, timeout=0.2)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await until(lambda: service.sample.cancelled == 1 and service.gate.load.running == 0)


@SHAPES
async def test_a_cancelled_call_stops_the_handler(invoke: Invoke, service: Served, callers: Callers) -> None:
    task = asyncio.ensure_future(invoke(service.stub, "wait", callers.member().metadata))
    await service.sample.entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: service.sample.cancelled == 1 and service.gate.load.running == 0)


async def test_a_unary_call_without_deadline_gets_the_default(callers: Callers) -> None:
    async with served(callers, limits=Limits(default_deadline=0.1)) as service:
        code, info, _ = await refused(_unary(service.stub, "wait", callers.member().metadata))
        assert (code, info.reason) == (grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED")
        assert service.sample.cancelled == 1


async def test_a_stream_has_no_default_deadline(callers: Callers) -> None:
    async with served(callers, limits=Limits(default_deadline=0.05)) as service:
        call = service.stub.Chat(metadata=callers.member().metadata)
        await call.write(pb.Text(text="one"))
        assert (await call.read()).text == "one"
        assert service.sample.calls[0].deadline is None
        await asyncio.wait([asyncio.ensure_future(call.read())], timeout=0.15)
        await call.write(pb.Text(text="two"))
        await call.done_writing()


async def test_too_long_a_deadline_is_cut(callers: Callers) -> None:
    async with served(callers, limits=Limits(longest_deadline=0.1)) as service:
        code, _, _ = await refused(_unary(service.stub, "wait", callers.member().metadata, timeout=60))
        assert code is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_a_later_message_of_a_stream_is_validated_too(service: Served, callers: Callers) -> None:
    async def send() -> None:
        call = service.stub.Chat(metadata=callers.member().metadata)
        await call.write(pb.Text(text="good"))
        await call.read()
        await call.write(pb.Text(text="x" * 41))
        assert await call.read() is grpc.aio.EOF
        raise grpc.aio.AioRpcError(
            await call.code(), await call.initial_metadata(), await call.trailing_metadata()
        )

    code, info, _ = await refused(send())
    assert (code, info.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_INVALID")
    assert len(service.sample.calls) == 1


async def test_more_unary_calls_than_the_limit_are_refused_early(callers: Callers) -> None:
    async with served(callers, limits=Limits(most_calls=1)) as service:
        metadata = callers.member().metadata
        first = asyncio.ensure_future(_unary(service.stub, "wait", metadata))
        await service.sample.entered.wait()
        code, info, _ = await refused(_unary(service.stub, "hello", metadata))
        assert (code, info.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_CALLS")
        first.cancel()
        await asyncio.wait([first])


async def test_violations_name_the_place(service: Served, callers: Callers) -> None:
    request = pb.Text(others=["ok", "too long"], labels={"a": "b\0"})
    _, _, status = await refused(service.stub.Echo(request, metadata=callers.member().metadata))
    violations = BadRequest()
    assert status.details[1].Unpack(violations)
    assert [each.field for each in violations.field_violations] == ["others[1]"]


class Endless(Sample):
    """Streams more than anybody reads, and notes how many handlers are at work when it is closed."""

    gate: Gatekeeper
    at_work: int | None = None

    async def Count(self, request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802
        """Never ends by itself."""
        try:
            while True:
                yield pb.Text(text="x" * 100_000)
        finally:
            self.at_work = self.gate.load.running


async def test_a_generator_that_is_left_in_the_middle_is_closed_before_the_call_counts_as_ended(
    callers: Callers,
) -> None:
    endless = Endless()
    async with served(callers, servicer=endless) as service:
        endless.gate = service.gate
        call = service.stub.Count(pb.Text(), metadata=callers.member().metadata)
        await call.read()
        call.cancel()
        await until(lambda: endless.at_work is not None)
    assert endless.at_work == 1


class Slow(Sample):
    """Takes a while to clear up when it is cancelled."""

    ended = False

    async def Anyone(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Waits until it is cancelled."""
        self.entered.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.1)
            self.ended = True


async def test_a_drained_server_has_no_handler_at_work(callers: Callers) -> None:
    slow = Slow()
    async with served(callers, servicer=slow) as service:
        waiting = asyncio.ensure_future(service.stub.Anyone(pb.Text()).code())
        await slow.entered.wait()
        await service.server.drain(0)
        assert slow.ended
        assert service.gate.load.running == 0
        assert await waiting is not grpc.StatusCode.OK


async def test_what_a_server_waits_for_does_not_grow_with_its_methods(callers: Callers) -> None:
    before = asyncio.all_tasks()
    async with served(callers):
        waits = asyncio.all_tasks() - before
    assert len(waits) < len(pb.DESCRIPTOR.services_by_name["SampleService"].methods)


async def test_an_unknown_method_is_unimplemented(service: Served) -> None:
    async with grpc.aio.insecure_channel(service.address) as channel:
        nothing: Any = channel.unary_unary("/sample.v1.SampleService/Nothing")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await nothing(b"")
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED

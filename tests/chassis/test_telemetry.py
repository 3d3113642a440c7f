"""Logs tell what happened and no secrets; traces go along and are exported where an address is set."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import sys
from collections.abc import Iterator
from contextvars import Context
from typing import Any

import grpc
import pytest
import structlog
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from chassis import telemetry
from chassis.redaction import REDACTED
from chassis.testing.callers import Callers
from chassis.testing.logs import Logs
from chassis.testing.waiting import until
from tests.chassis.playing import pb, served

CANARY = "canary-7f3a"
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def test_each_call_is_one_line_with_its_trace_and_caller(callers: Callers, logs: Logs) -> None:
    async with served(callers) as service:
        member = callers.member()
        metadata = (*member.metadata, ("traceparent", TRACEPARENT), ("x-request-id", "r-1"))
        await service.stub.Echo(pb.Text(text="hello"), metadata=metadata)
    (line,) = logs.lines()
    assert (line["event"], line["method"], line["code"]) == ("call", "/sample.v1.SampleService/Echo", "OK")
    assert line["trace_id"] == TRACEPARENT.split("-")[1]
    assert (line["request_id"], line["caller"], line["caller_id"]) == ("r-1", "member", str(member.member_id))
    assert line["tenant_id"] == str(member.account_id)


async def test_no_content_and_no_token_of_a_call_is_logged(callers: Callers, logs: Logs) -> None:
    async with served(callers) as service:
        member = callers.member()
        wrong_id = (("x-request-id", f"{CANARY} {member.bearer}"),)
        for text in (CANARY, CANARY * 10, f"{CANARY}\0"):
            await service.stub.Echo(pb.Text(text=text), metadata=member.metadata + wrong_id).code()
        await service.stub.Echo(
            pb.Text(), metadata=(("authorization", f"Bearer {CANARY}.{CANARY}.x"),)
        ).code()
    assert len(logs.lines()) == 4
    assert CANARY not in logs.getvalue()
    assert member.bearer[:20] not in logs.getvalue()


async def test_a_defect_is_logged_whole_under_its_id(callers: Callers, logs: Logs) -> None:
    async with served(callers) as service:
        metadata = (*callers.member().metadata, ("x-request-id", "r-2"))
        await service.stub.Echo(pb.Text(text="crash"), metadata=metadata).code()
    failure, call = logs.lines()
    assert (failure["level"], failure["request_id"]) == ("error", "r-2")
    assert "RuntimeError" in failure["exception"]
    assert "playing.py" in failure["exception"]
    assert call["code"] == "INTERNAL"


def test_the_guard_redacts_what_looks_like_a_secret(logs: Logs) -> None:
    log = structlog.get_logger()
    log.info(
        "started",
        password=CANARY,
        refresh_token=CANARY,
        headers={"authorization": CANARY, "accept": "text"},
        nested=[{"email": CANARY}],
        url=f"postgresql://app:{CANARY}@db/wrtn",
        said=f"Bearer {CANARY}",
        who="someone@example.com",
        jwt="eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIx",
        message=pb.Text(text=CANARY),
        raw=CANARY.encode(),
        input_tokens=12,
        port=50051,
    )
    (line,) = logs.lines()
    assert CANARY not in logs.getvalue()
    assert (line["password"], line["refresh_token"], line["who"], line["jwt"]) == (REDACTED,) * 4
    assert line["headers"] == {"authorization": REDACTED, "accept": "text"}
    assert line["message"] == "<Text>"
    assert (line["input_tokens"], line["port"]) == (12, 50051)


def test_the_values_that_a_driver_puts_into_an_error_stay_out(logs: Logs) -> None:
    try:
        try:
            raise ValueError(
                f"duplicate key violates unique constraint\nDETAIL:  Key (email)=({CANARY}) exists."
            )
        except ValueError as error:
            raise RuntimeError(f"(psycopg) failed\n[parameters: ('{CANARY}',)]") from error
    except RuntimeError as error:
        structlog.get_logger().error("failed", exc_info=error)
    (line,) = logs.lines()
    assert CANARY not in logs.getvalue()
    assert line["exception"].index("ValueError: duplicate key") < line["exception"].index(
        "RuntimeError: (psycopg)"
    )


@pytest.fixture
def library_logs() -> Iterator[io.StringIO]:
    """What libraries log, with the root logger put back afterwards."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    root.handlers = []
    stream = io.StringIO()
    telemetry.configure_library_logs("test", stream)
    yield stream
    root.handlers, root.level = before, level


def test_the_warnings_of_libraries_pass_the_same_guard(library_logs: io.StringIO) -> None:
    try:
        raise OSError(f"Bearer {CANARY}")
    except OSError:
        logging.getLogger("some.library").warning(
            "lost %s", "eyJhbGciOiJF.eyJzdWIiOi", exc_info=sys.exc_info()
        )
    line = json.loads(library_logs.getvalue())
    assert CANARY not in library_logs.getvalue()
    assert (line["event"], line["level"], line["service"]) == (f"lost {REDACTED}", "warning", "test")
    assert "OSError" in line["exception"]


@pytest.mark.parametrize(
    "bad", ["", "00-0-0-0", "00-" + "0" * 32 + "-b7ad6b7169203331-01", TRACEPARENT + "-x"]
)
async def test_a_bad_traceparent_begins_a_new_trace(bad: str) -> None:
    with telemetry.span("work", bad) as trace:
        assert len(trace.trace_id) == 32
        assert trace.trace_id not in bad


async def test_spans_nest_and_end() -> None:
    assert telemetry.traceparent() is None
    with telemetry.span("outer", TRACEPARENT) as outer:
        with telemetry.span("inner") as inner:
            assert inner.trace_id == outer.trace_id
            assert telemetry.traceparent() == inner.header
        assert telemetry.traceparent() == outer.header
    assert telemetry.traceparent() is None


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """Takes the spans that are exported."""

    def __init__(self) -> None:
        self.spans: list[Any] = []

    async def Export(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Keeps them."""
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                self.spans += scope.spans
        return trace_service_pb2.ExportTraceServiceResponse()


async def test_spans_are_exported_where_an_address_is_set(callers: Callers) -> None:
    collector = Collector()
    server = grpc.aio.server()
    add: Any = trace_service_pb2_grpc.add_TraceServiceServicer_to_server
    add(collector, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    provider = telemetry.export_traces("sample", f"http://127.0.0.1:{port}")
    async with served(callers) as service:
        metadata = (*callers.member().metadata, ("traceparent", TRACEPARENT))
        await service.stub.Echo(pb.Text(text="hello"), metadata=metadata)
        await service.stub.Echo(pb.Text(text="fail"), metadata=metadata).code()
    await asyncio.to_thread(provider.shutdown)
    await until(lambda: len(collector.spans) == 2)
    await server.stop(0)
    good, failed = collector.spans
    assert good.name == "/sample.v1.SampleService/Echo"
    assert good.trace_id.hex() == TRACEPARENT.split("-")[1]
    assert good.parent_span_id.hex() == TRACEPARENT.split("-")[2]
    assert failed.status.message == "NOT_FOUND"


async def test_a_batch_of_work_is_in_a_trace_of_its_own_with_a_link_to_each_cause() -> None:
    spans = InMemorySpanExporter()
    telemetry.record_spans("sample", SimpleSpanProcessor(spans))
    many = [f"00-{each:032x}-{each:016x}-01" for each in range(1, 501)]
    with telemetry.span("outer", TRACEPARENT) as outer:
        with telemetry.batch_span("batch", [*many, many[0], None, "", "nonsense"]):
            assert telemetry.traceparent() != outer.header
        assert telemetry.traceparent() == outer.header
    batch, _ = spans.get_finished_spans()
    assert (batch.name, batch.parent) == ("batch", None)
    assert [link.context.trace_id for link in batch.links] == list(range(1, 501))


def test_the_span_of_a_batch_costs_nothing_unless_spans_are_exported() -> None:
    unread = iter([TRACEPARENT])

    def batch() -> None:
        with telemetry.batch_span("batch", unread):
            assert telemetry.traceparent() is None

    # Spans are exported by context: one of its own has nothing of what tests before this one began.
    Context().run(batch)
    assert list(unread) == [TRACEPARENT]

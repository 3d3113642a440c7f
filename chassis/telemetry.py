"""Logs, metrics and traces.

Logs are JSON lines with the ids of the trace, through the guard of chassis.redaction. Metrics are
Prometheus's, declared next to what they measure. A trace context (W3C traceparent) goes along with every
call and event; spans are recorded and exported only when an OTLP endpoint is set.
"""

from __future__ import annotations

import json
import logging
import random
import re
import sys
from collections.abc import Iterable, Iterator, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TextIO

import structlog
from opentelemetry import trace as otel
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation import set_span_in_context

from chassis import redaction
from chassis.clock import Clock

TRACEPARENT = "traceparent"
"""The metadata key and event header of the trace context (https://www.w3.org/TR/trace-context/)."""

# A batch of events has up to as many links; the SDK would keep 128.
MOST_LINKS = 1000

_TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")


@dataclass(frozen=True, slots=True)
class Trace:
    """Where we are in a trace: its id, the id of the running span, and whether it is sampled."""

    trace_id: str
    span_id: str
    sampled: bool = True

    @property
    def header(self) -> str:
        """The traceparent that a called service or a published event carries on."""
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.sampled else '00'}"


class Span:
    """One piece of work in a trace. `end` must be called once; `span()` does so by itself."""

    __slots__ = ("_recorded", "trace")

    def __init__(self, trace: Trace, recorded: otel.Span | None) -> None:
        self.trace = trace
        self._recorded = recorded

    def end(self, failure: str = "") -> None:
        """Ends the span; `failure` is a code or a reason, never content."""
        if self._recorded is None:
            return
        if failure:
            self._recorded.set_status(otel.StatusCode.ERROR, failure)
        self._recorded.end()


_trace: ContextVar[Trace | None] = ContextVar("wrtn_trace", default=None)
_tracer: ContextVar[otel.Tracer | None] = ContextVar("wrtn_tracer", default=None)


def traceparent() -> str | None:
    """Answers the trace context to put into metadata and event headers; None outside of any trace."""
    here = _trace.get()
    return here.header if here else None


def trace_id() -> str:
    """Answers the id of the running trace; empty outside of any."""
    here = _trace.get()
    return here.trace_id if here else ""


def start_span(name: str, parent: str | None = None) -> Span:
    """Begins a span as a child of the traceparent, or of the running span, and makes it the running one."""
    span = _started(name, parent)
    _trace.set(span.trace)
    return span


@contextmanager
def span(name: str, parent: str | None = None) -> Iterator[Trace]:
    """Runs its block in a span; the span before it runs on afterwards."""
    with _within(_started(name, parent)) as trace:
        yield trace


@contextmanager
def batch_span(name: str, parents: Iterable[str | None]) -> Iterator[None]:
    """Runs its block in a span of a new trace, with a link to the span that each traceparent names.

    One piece of work for many callers has no single parent. Unless spans are exported it does nothing, and
    does not even read `parents`.
    """
    tracer = _tracer.get()
    if tracer is None:
        yield
        return
    named = [_context(found) for parent in dict.fromkeys(parents) if (found := _read(parent))]
    links = [otel.Link(each) for each in named]
    with _within(_recorded(tracer.start_span(name, context=Context(), links=links))):
        yield


@contextmanager
def _within(running: Span) -> Iterator[Trace]:
    before = _trace.get()
    _trace.set(running.trace)
    failure = "ERROR"
    try:
        yield running.trace
        failure = ""
    finally:
        running.end(failure)
        _trace.set(before)


def _started(name: str, parent: str | None) -> Span:
    above = _read(parent) or _trace.get()
    tracer = _tracer.get()
    if tracer is None:
        return Span(_child(above), None)
    return _recorded(tracer.start_span(name, context=_otel_parent(above)))


def _read(parent: str | None) -> Trace | None:
    found = _TRACEPARENT.fullmatch(parent) if parent else None
    return Trace(found[1], found[2], found[3] == "01") if found else None


def _recorded(recorded: otel.Span) -> Span:
    context = recorded.get_span_context()
    here = Trace(f"{context.trace_id:032x}", f"{context.span_id:016x}", context.trace_flags.sampled)
    return Span(here, recorded)


def _child(above: Trace | None) -> Trace:
    span_id = f"{random.getrandbits(64) | 1:016x}"
    if above is None:
        return Trace(f"{random.getrandbits(128) | 1:032x}", span_id)
    return Trace(above.trace_id, span_id, above.sampled)


def _otel_parent(above: Trace | None) -> Context | None:
    if above is None:
        return None
    return set_span_in_context(otel.NonRecordingSpan(_context(above)))


def _context(trace: Trace) -> otel.SpanContext:
    flags = otel.TraceFlags(otel.TraceFlags.SAMPLED if trace.sampled else otel.TraceFlags.DEFAULT)
    return otel.SpanContext(
        int(trace.trace_id, 16), int(trace.span_id, 16), is_remote=True, trace_flags=flags
    )


def export_traces(service: str, endpoint: str) -> TracerProvider:
    """Exports the spans of this context and its tasks by OTLP over gRPC; `shutdown()` flushes the rest."""
    return record_spans(service, BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))


def record_spans(service: str, processor: SpanProcessor) -> TracerProvider:
    """Hands the spans of this context and its tasks to the processor."""
    provider = TracerProvider(
        resource=Resource.create({"service.name": f"wrtn.{service}"}),
        span_limits=SpanLimits(max_links=MOST_LINKS),
    )
    provider.add_span_processor(processor)
    _tracer.set(provider.get_tracer("wrtn"))
    return provider


class CallLog:
    """Writes the one line of each call. It goes round structlog, whose price would double that of a call.

    What it is given are names and ids that the chassis made or checked, so the guard has nothing to find.
    """

    def __init__(self) -> None:
        self.enabled = False
        self._clock = Clock()
        self._service = ""
        self._stream: TextIO = sys.stdout

    def configure(self, service: str, stream: TextIO, *, enabled: bool) -> None:
        """Says where the lines go, and whether there are any."""
        self._service = service
        self._stream = stream
        self.enabled = enabled

    def write(
        self,
        trace: Trace,
        method: str,
        code: str,
        seconds: float,
        request_id: str,
        caller: str,
        caller_id: str,
        tenant_id: str,
    ) -> None:
        """Writes the line of a call that has ended."""
        line = {
            "event": "call",
            "level": "info",
            "time": self._clock.now().isoformat(),
            "service": self._service,
            "trace_id": trace.trace_id,
            "span_id": trace.span_id,
            "method": method,
            "code": code,
            "milliseconds": round(seconds * 1000, 2),
            "request_id": request_id,
            "caller": caller,
            "caller_id": caller_id,
            "tenant_id": tenant_id,
        }
        self._stream.write(json.dumps(line) + "\n")
        self._stream.flush()


calls = CallLog()


def configure_logs(service: str, level: str = "INFO", stream: TextIO = sys.stdout) -> None:
    """Sends structlog's lines as JSON to the stream."""
    least = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*_processors(service), structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(least),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=stream is sys.stdout,
    )
    calls.configure(service, stream, enabled=least <= logging.INFO)


def configure_library_logs(service: str, stream: TextIO = sys.stdout) -> None:
    """Sends the warnings of libraries, which use the standard logging, through the same guard."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_processors(service),
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def _processors(service: str) -> list[structlog.typing.Processor]:
    return [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        _Stamp(service),
        _exception,
        redaction.guard,
    ]


class _Stamp:
    """Adds the service and the running trace to a log line."""

    def __init__(self, service: str) -> None:
        self._service = service

    def __call__(
        self, _logger: object, _method: str, event: MutableMapping[str, object]
    ) -> MutableMapping[str, object]:
        event["service"] = self._service
        here = _trace.get()
        if here is not None:
            event["trace_id"] = here.trace_id
            event["span_id"] = here.span_id
        return event


def _exception(
    _logger: object, _method: str, event: MutableMapping[str, object]
) -> MutableMapping[str, object]:
    """Writes `exc_info` out as a scrubbed traceback."""
    given = event.pop("exc_info", None)
    error = given if isinstance(given, BaseException) else sys.exc_info()[1] if given is True else None
    if isinstance(given, tuple):
        error = given[1]
    if error is not None:
        event["exception"] = redaction.described(error)
    return event

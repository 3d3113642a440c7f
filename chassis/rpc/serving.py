"""One call from its first byte to its answer: deadline, trace, log, metrics, caller, rule, errors."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeAlias

import grpc
import structlog
from google.protobuf.message import Message
from prometheus_client import Counter, Gauge, Histogram

from chassis import telemetry
from chassis.access.authorize import admits, authorize, by_right_alone
from chassis.access.employment import AccessCache
from chassis.access.policy import check_address
from chassis.access.rules import MethodRule
from chassis.audit.acts import Unaudited
from chassis.auth.authenticate import Authenticator
from chassis.call import ANONYMOUS, Call, Trail, enter
from chassis.errors import DeadlineExceeded, ResourceExhausted
from chassis.rpc import answers, origins
from chassis.rpc.origins import Origins
from chassis.rpc.validation import validate

AUTHORIZATION = "authorization"
REQUEST_ID = "x-request-id"
IDEMPOTENCY_KEY = "idempotency-key"
"""The metadata keys that the chassis reads, besides traceparent."""

_REQUEST_ID = re.compile(r"[\w.-]{1,64}")

_log = structlog.get_logger("chassis.rpc")
_calls = Counter("wrtn_rpc_calls_total", "Calls served, by their outcome.", ("method", "code"))
_seconds = Histogram("wrtn_rpc_seconds", "Seconds from the start of a call to its end.", ("method",))
_running = Gauge("wrtn_rpc_running", "Calls being served now.")

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class TooManyCalls(ResourceExhausted):
    """The process serves as many calls as it can; it refuses early rather than late."""

    reason = "TOO_MANY_CALLS"


@dataclass(slots=True)
class Limits:
    """What a server allows: seconds of a unary call, and unary calls at once."""

    default_deadline: float = 15
    longest_deadline: float = 120
    most_calls: int = 1000


class Load:
    """Counts the handlers at work; a drain waits until there are none."""

    def __init__(self) -> None:
        self.streams = 0
        self.unary = 0
        self._idle = asyncio.Event()
        self._idle.set()
        _running.set_function(lambda: self.running)

    @property
    def running(self) -> int:
        """How many handlers are at work, those of streams included."""
        return self.streams + self.unary

    def add(self, count: int, *, streaming: bool) -> None:
        """Counts a handler in (1) or out (-1)."""
        if streaming:
            self.streams += count
        else:
            self.unary += count
        if not self.running:
            self._idle.set()
        elif self._idle.is_set():
            self._idle.clear()

    async def idle(self) -> None:
        """Waits until no handler is at work."""
        await self._idle.wait()


class Method:
    """What stays the same between the calls of one method. `rule` is None for health and reflection."""

    def __init__(self, path: str, rule: MethodRule | None, *, streaming: bool) -> None:
        self.path = path
        self.rule = rule
        self.streaming = streaming
        self.seconds = _seconds.labels(path)
        self._counters: dict[str, Counter] = {}

    def count(self, code: str) -> None:
        """Counts one call with this outcome."""
        counter = self._counters.get(code)
        if counter is None:
            counter = self._counters[code] = _calls.labels(self.path, code)
        counter.inc()


class Gatekeeper:
    """What all calls of a server share."""

    def __init__(
        self,
        authenticator: Authenticator,
        access: AccessCache,
        limits: Limits,
        clients: Origins | None = None,
    ) -> None:
        self.authenticator = authenticator
        self.access = access
        self.limits = limits
        self.clients = clients or Origins()
        self.load = Load()


class Serving:
    """Wraps the work on one call; an error that leaves its block is answered to the client."""

    __slots__ = (
        "_authorization",
        "_caller",
        "_context",
        "_deadline",
        "_device",
        "_forwarded",
        "_gate",
        "_key",
        "_method",
        "_request_id",
        "_span",
        "_started",
        "_timeout",
        "_trail",
    )

    def __init__(self, gate: Gatekeeper, method: Method, context: Context) -> None:
        self._gate = gate
        self._method = method
        self._context = context
        self._started = time.perf_counter()
        self._caller = ANONYMOUS
        self._timeout: asyncio.Timeout | None = None
        self._trail = Trail()
        self._authorization: str | None = None
        self._key = ""
        self._forwarded = ""
        self._device = ""
        self._read_metadata()
        gate.load.add(1, streaming=method.streaming)

    async def __aenter__(self) -> Serving:
        left = self._context.time_remaining()
        limits = self._gate.limits
        if not self._method.streaming and (left is None or left > limits.longest_deadline):
            left = limits.default_deadline if left is None else limits.longest_deadline
            self._timeout = asyncio.timeout(left)
            await self._timeout.__aenter__()
        self._deadline = None if left is None else time.monotonic() + left
        return self

    async def admit(self, request: Message | None) -> None:
        """Authenticates the caller, enforces the rule, validates the request, and makes the call current."""
        rule = self._method.rule
        if rule is None:
            return
        gate = self._gate
        if not self._method.streaming and gate.load.unary > gate.limits.most_calls:
            raise TooManyCalls("The service is overloaded.", retry_after=1)
        caller = None if rule.fresh else gate.authenticator.remembered(self._authorization)
        if caller is None and self._authorization is not None:
            caller = await gate.authenticator.caller(
                self._authorization, any_sign_in=rule.rule.regardless_of_policy, fresh=rule.fresh
            )
        self._caller = caller or ANONYMOUS
        address = gate.clients.address(self._context.peer(), self._forwarded)
        if self._caller.networks and not rule.rule.regardless_of_policy:
            check_address(self._caller.networks, address)
        if not admits(rule, self._caller):
            self._caller = await authorize(rule, self._caller, request, gate.access)
        self._trail.owed = by_right_alone(rule, self._caller)
        enter(self._call(address))
        if request is not None:
            validate(request)

    def _call(self, address: str) -> Call:
        return Call(
            self._method.path,
            self._caller,
            self._deadline,
            self._request_id,
            self._key,
            address,
            origins.device(self._device) if self._device else "",
            self._trail,
        )

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timeout is not None:
            try:
                await self._timeout.__aexit__(kind, error, trace)
            except TimeoutError:
                error = DeadlineExceeded("The call took too long.")
        if error is None and self._trail.missing:
            error = Unaudited(self._method.path)
        if error is None:
            self._end("OK")
        elif isinstance(error, grpc.aio.AbortError):
            self._end(_name(self._context.code()))
        elif isinstance(error, Exception):
            await self._fail(error)
        else:
            self._end(self._why_cancelled())

    async def _fail(self, error: Exception) -> None:
        code, status = answers.answer(error, self._request_id)
        self._end(code.name, None if answers.expected(error) else error)
        details = ((answers.STATUS_DETAILS, status.SerializeToString()),)
        await self._context.abort(code, status.message, details)

    def _why_cancelled(self) -> str:
        late = self._deadline is not None and time.monotonic() >= self._deadline
        return grpc.StatusCode.DEADLINE_EXCEEDED.name if late else grpc.StatusCode.CANCELLED.name

    def _read_metadata(self) -> None:
        parent = None
        wanted = ""
        for key, value in self._context.invocation_metadata() or ():
            if key == AUTHORIZATION:
                self._authorization = str(value)
            elif key == telemetry.TRACEPARENT:
                parent = str(value)
            elif key == REQUEST_ID:
                wanted = str(value)
            elif key == IDEMPOTENCY_KEY:
                self._key = str(value)
            elif key == origins.FORWARDED_FOR:
                self._forwarded = str(value)
            elif key == origins.USER_AGENT:
                self._device = str(value)
        self._span = telemetry.start_span(self._method.path, parent)
        self._request_id = wanted if _REQUEST_ID.fullmatch(wanted) else self._span.trace.trace_id

    def _end(self, code: str, defect: Exception | None = None) -> None:
        seconds = time.perf_counter() - self._started
        method = self._method
        self._gate.load.add(-1, streaming=method.streaming)
        method.count(code)
        method.seconds.observe(seconds)
        self._span.end("" if code == "OK" else code)
        if defect is not None:
            _log.error("a call failed", method=method.path, request_id=self._request_id, exc_info=defect)
        if method.rule is not None and telemetry.calls.enabled:
            caller = self._caller
            telemetry.calls.write(
                self._span.trace,
                method.path,
                code,
                seconds,
                self._request_id,
                caller.kind.value,
                caller.key,
                str(caller.tenant_id or ""),
            )


def _name(code: Any) -> str:
    return code.name if isinstance(code, grpc.StatusCode) else str(code)

"""The one interceptor: it wraps the handlers of all four call shapes in a Serving.

Handlers read a request stream from their iterator, which validates each message; `context.read()` would
pass the validation by.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any, TypeAlias

import grpc
from google.protobuf.message import Message

from chassis.access.rules import MethodRule
from chassis.rpc.serving import Context, Gatekeeper, Method, Serving
from chassis.rpc.validation import validate

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Behaviour = Callable[[Any, Context], Any]


class Interceptor(grpc.aio.ServerInterceptor):
    """Wraps each method once, when it is first called. A method without a rule must be in an open service."""

    def __init__(self, gate: Gatekeeper, rules: Mapping[str, MethodRule]) -> None:
        self._gate = gate
        self._rules = rules
        self._wrapped: dict[str, Handler] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """Answers the wrapped handler of the method, or none for a method that does not exist."""
        path = handler_call_details.method
        wrapped = self._wrapped.get(path)
        if wrapped is None:
            found = await continuation(handler_call_details)
            if found is None:
                return found
            wrapped = self._wrapped[path] = self._wrap(path, found)
        return wrapped

    def _wrap(self, path: str, found: Any) -> Handler:
        method = Method(
            path, self._rules.get(path), streaming=found.request_streaming or found.response_streaming
        )
        codec = {
            "request_deserializer": found.request_deserializer,
            "response_serializer": found.response_serializer,
        }
        gate = self._gate
        if found.unary_unary:
            return grpc.unary_unary_rpc_method_handler(_unary_unary(gate, method, found.unary_unary), **codec)
        if found.unary_stream:
            return grpc.unary_stream_rpc_method_handler(
                _unary_stream(gate, method, found.unary_stream), **codec
            )
        if found.stream_unary:
            return grpc.stream_unary_rpc_method_handler(
                _stream_unary(gate, method, found.stream_unary), **codec
            )
        return grpc.stream_stream_rpc_method_handler(
            _stream_stream(gate, method, found.stream_stream), **codec
        )


def _unary_unary(gate: Gatekeeper, method: Method, behaviour: Behaviour) -> Behaviour:
    async def serve(request: Message, context: Context) -> Any:
        async with Serving(gate, method, context) as serving:
            await serving.admit(request)
            return await behaviour(request, context)

    return serve


def _unary_stream(gate: Gatekeeper, method: Method, behaviour: Behaviour) -> Behaviour:
    async def serve(request: Message, context: Context) -> None:
        async with Serving(gate, method, context) as serving:
            await serving.admit(request)
            await _send(behaviour(request, context), context)

    return serve


def _stream_unary(gate: Gatekeeper, method: Method, behaviour: Behaviour) -> Behaviour:
    async def serve(requests: AsyncIterator[Message], context: Context) -> Any:
        async with Serving(gate, method, context) as serving:
            await serving.admit(None)
            return await behaviour(_requests(method, requests), context)

    return serve


def _stream_stream(gate: Gatekeeper, method: Method, behaviour: Behaviour) -> Behaviour:
    async def serve(requests: AsyncIterator[Message], context: Context) -> None:
        async with Serving(gate, method, context) as serving:
            await serving.admit(None)
            await _send(behaviour(_requests(method, requests), context), context)

    return serve


async def _send(answer: Any, context: Context) -> None:
    """Writes what a generator yields, and closes it however the call ends; a coroutine writes itself."""
    if not hasattr(answer, "__aiter__"):
        await answer
        return
    async with aclosing(answer):
        async for message in answer:
            await context.write(message)


def _requests(method: Method, requests: AsyncIterator[Message]) -> AsyncIterator[Message]:
    return requests if method.rule is None else _Validated(requests)


class _Validated:
    """The messages of a request stream, each validated as it arrives.

    grpc.aio complains of an iterator that is made and never read, so none is made for a handler that
    reads from the context.
    """

    __slots__ = ("_messages", "_started")

    def __init__(self, messages: AsyncIterator[Message]) -> None:
        self._messages = messages
        self._started: AsyncIterator[Message] | None = None

    def __aiter__(self) -> _Validated:
        return self

    async def __anext__(self) -> Message:
        if self._started is None:
            self._started = aiter(self._messages)
        message = await anext(self._started)
        validate(message)
        return message

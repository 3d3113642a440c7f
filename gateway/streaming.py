"""Calls that are answered by a stream: server-sent events, newline-delimited JSON, or raw bytes.

Newline-delimited JSON holds a message as `{"result": ...}` a line; an error that comes after the first
message is a last line `{"error": <problem>}`. As events, messages are `data:` alone and the error is an
event named `error`. A raw body that fails is cut off, so that it cannot be taken for whole.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import grpc

from gateway import negotiation
from gateway.endpoint import Endpoint, Fault, cancelled_when_gone
from gateway.exchange import Exchange, Gone, RawHeader
from gateway.headers import Answer
from gateway.problems import Problem
from gateway.ranges import Window, window
from gateway.unary import raw_parts, wanted_range

FIRST_MESSAGE_SECONDS = 1.0
"""How long the headers wait for the first message, whose failure could still set the status."""
KEEP_ALIVE_SECONDS = 15.0
"""How often an idle event stream sends a comment, so that proxies keep it open."""
_OFFERED = (negotiation.NDJSON, negotiation.SSE, negotiation.JSON)
_NO_STORE: RawHeader = (b"cache-control", b"no-store")
_UNBUFFERED: RawHeader = (b"x-accel-buffering", b"no")


class Truncated(Exception):
    """The response has begun and cannot be finished: the connection must be cut."""


async def serve(endpoint: Endpoint, exchange: Exchange, segments: list[str]) -> None:
    """Calls and streams. Raises Problem before the first byte; Gone; Truncated."""
    raw = endpoint.raw_response
    kind = b"" if raw else negotiation.accepted(exchange.headers.get(b"accept", b""), _OFFERED)
    timeout, metadata = endpoint.deadline(exchange), endpoint.metadata(exchange)
    fault = Fault()
    if endpoint.upload_stream:
        call = endpoint.rpc(endpoint.requests(exchange, segments, fault), metadata=metadata, timeout=timeout)
    else:
        fault.read_out.set()
        call = endpoint.rpc(await endpoint.request(exchange, segments), metadata=metadata, timeout=timeout)
    try:
        with cancelled_when_gone(call, exchange, fault.read_out):
            if raw:
                await _raw(endpoint, exchange, call)
            else:
                await _messages(endpoint, exchange, call, kind)
    except (grpc.aio.AioRpcError, asyncio.CancelledError) as error:
        if fault.problem is not None and not exchange.status:
            raise fault.problem from None
        if isinstance(error, asyncio.CancelledError):
            raise
        problem = endpoint.problem(error)
        if not exchange.status:
            raise problem from None
        await _last_words(exchange, problem, kind)
    finally:
        call.cancel()


async def _messages(endpoint: Endpoint, exchange: Exchange, call: Any, kind: bytes) -> None:
    frame = _event if kind == negotiation.SSE else _line
    read = asyncio.ensure_future(call.read())
    try:
        await asyncio.wait({read}, timeout=FIRST_MESSAGE_SECONDS)
        if read.done():
            read.result()
            await _start(exchange, kind, Answer().take(await call.initial_metadata()))
        else:
            await _start(exchange, kind, Answer())
        while exchange.method != "HEAD":
            await asyncio.wait({read}, timeout=KEEP_ALIVE_SECONDS)
            if not read.done():
                await exchange.send(b": \n\n" if kind == negotiation.SSE else b"\n", more=True)
                continue
            if (data := read.result()) is grpc.aio.EOF:
                break
            await exchange.send(frame(endpoint.json(data)), more=True)
            read = asyncio.ensure_future(call.read())
    finally:
        read.cancel()
    await exchange.send(b"", more=False)


async def _start(exchange: Exchange, kind: bytes, answer: Answer) -> None:
    shown = negotiation.NDJSON if kind == negotiation.JSON else kind
    answer.pop(b"content-length")
    set_type = answer.pop(b"content-type")
    headers = [(b"content-type", set_type or shown), _NO_STORE, _UNBUFFERED, *answer.headers]
    await exchange.start(answer.status or 200, headers)


def _event(message: bytes) -> bytes:
    return b"data: " + message + b"\n\n"


def _line(message: bytes) -> bytes:
    return b'{"result":' + message + b"}\n"


async def _last_words(exchange: Exchange, problem: Problem, kind: bytes) -> None:
    if not kind:
        raise Truncated(problem.code) from None
    body = problem.body(exchange.id)
    line = (
        b"event: error\ndata: " + body + b"\n\n" if kind == negotiation.SSE else b'{"error":' + body + b"}\n"
    )
    await exchange.send(line, more=False)


async def _raw(endpoint: Endpoint, exchange: Exchange, call: Any) -> None:
    """Streams the chunks of a google.api.HttpBody; where their length is known beforehand, also a range."""
    first = await call.read()
    answer = Answer().take(await call.initial_metadata())
    content_type, chunk = (
        (b"application/octet-stream", b"") if first is grpc.aio.EOF else raw_parts(endpoint, first)
    )
    cut = await _start_raw(exchange, answer, content_type)
    if exchange.method == "HEAD":
        await exchange.send(b"", more=False)
        return
    while first is not grpc.aio.EOF:
        if part := cut(chunk):
            await exchange.send(part, more=True)
        if isinstance(owner := getattr(cut, "__self__", None), Window) and owner.done:
            break
        first = await call.read()
        chunk = b"" if first is grpc.aio.EOF else raw_parts(endpoint, first)[1]
    await exchange.send(b"", more=False)


async def _start_raw(exchange: Exchange, answer: Answer, content_type: bytes) -> Callable[[bytes], bytes]:
    set_type, length = answer.pop(b"content-type"), answer.pop(b"content-length")
    headers = [(b"content-type", set_type or content_type), *answer.headers]
    part = None
    if answer.status in (0, 200) and length is not None and length.isdigit():
        headers.append((b"accept-ranges", b"bytes"))
        part = window(wanted_range(exchange, answer), int(length))
        if part is not None:
            await exchange.start(
                206, [*headers, part.header, (b"content-length", b"%d" % (part.stop - part.start))]
            )
            return part.cut
    if length is not None:
        headers.append((b"content-length", length))
    await exchange.start(answer.status or 200, headers)
    return lambda chunk: chunk


__all__ = ["Gone", "Truncated", "serve"]

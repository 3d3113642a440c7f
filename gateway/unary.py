"""Calls that are answered by one message: JSON, or a raw body."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import grpc

from gateway import negotiation
from gateway.endpoint import Endpoint, Fault, cancelled_when_gone
from gateway.exchange import Exchange, RawHeader
from gateway.headers import Answer
from gateway.ranges import window

_JSON_HEADERS: Sequence[RawHeader] = ((b"content-type", negotiation.JSON), (b"cache-control", b"no-store"))
_OFFERED = (negotiation.JSON,)


async def serve(endpoint: Endpoint, exchange: Exchange, segments: list[str]) -> None:
    """Calls and responds. Raises Problem or Gone."""
    if not endpoint.raw_response and (accept := exchange.headers.get(b"accept")):
        negotiation.accepted(accept, _OFFERED)
    timeout, metadata = endpoint.deadline(exchange), endpoint.metadata(exchange)
    fault = None
    if endpoint.upload_stream:
        fault = Fault()
        call = endpoint.rpc(endpoint.requests(exchange, segments, fault), metadata=metadata, timeout=timeout)
    else:
        payload = await endpoint.request(exchange, segments)
        call = endpoint.rpc(payload, metadata=metadata, timeout=timeout)
    try:
        with cancelled_when_gone(call, exchange, fault.read_out if fault else None):
            data = await call
            answer = Answer().take(await call.initial_metadata()).take(await call.trailing_metadata())
    except grpc.aio.AioRpcError as error:
        if fault is not None and fault.problem is not None:
            raise fault.problem from None
        raise endpoint.problem(error) from None
    except asyncio.CancelledError:
        if fault is not None and fault.problem is not None:
            raise fault.problem from None
        raise
    if endpoint.raw_response:
        await _raw(endpoint, exchange, data, answer)
    else:
        await _json(endpoint, exchange, data, answer)


async def _json(endpoint: Endpoint, exchange: Exchange, data: bytes, answer: Answer) -> None:
    body = endpoint.json(data)
    if not answer.headers:
        await exchange.respond(answer.status or 200, _JSON_HEADERS, body)
        return
    answer.pop(b"content-length")
    said = {name for name, _ in answer.headers}
    headers = [*answer.headers, *(pair for pair in _JSON_HEADERS if pair[0] not in said)]
    await exchange.respond(answer.status or 200, headers, body)


async def _raw(endpoint: Endpoint, exchange: Exchange, data: bytes, answer: Answer) -> None:
    """Writes a google.api.HttpBody, or the range of it that was asked for."""
    content_type, body = raw_parts(endpoint, data)
    set_type = answer.pop(b"content-type")
    answer.pop(b"content-length")
    headers = [(b"content-type", set_type or content_type), *answer.headers]
    status = answer.status or 200
    if status == 200 and exchange.method in ("GET", "HEAD"):
        headers.append((b"accept-ranges", b"bytes"))
        part = window(wanted_range(exchange, answer), len(body))
        if part is not None:
            status, body = 206, part.cut(body)
            headers.append(part.header)
    await exchange.respond(status, headers, body)


def raw_parts(endpoint: Endpoint, data: bytes) -> tuple[bytes, bytes]:
    """Answers content type and bytes of a message that is, or holds, a google.api.HttpBody."""
    message = endpoint.parse(data)
    if name := endpoint.binding.response_body:
        message = getattr(message, name) or endpoint.binding.result.type()  # type: ignore[union-attr]
    kind = message.content_type.encode("ascii", "ignore")  # type: ignore[attr-defined]
    clean = kind if kind and b"\n" not in kind and b"\r" not in kind else b"application/octet-stream"
    return clean, message.data  # type: ignore[attr-defined]


def wanted_range(exchange: Exchange, answer: Answer) -> bytes | None:
    """Answers the Range header, unless If-Range says that the client's part is of another version."""
    condition = exchange.headers.get(b"if-range")
    if condition is not None:
        current = [value for name, value in answer.headers if name in (b"etag", b"last-modified")]
        if condition not in current:
            return None
    return exchange.headers.get(b"range")

"""A real gRPC server for the tests' own proto, on messages made from its descriptors."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf import descriptor_pool, json_format, message_factory
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.rpc import error_details_pb2, http_pb2, status_pb2

SERVICE = "library.v1.Library"
TEXT = bytes(range(256)) * 40


class Types:
    """Message classes by their short name."""

    def __init__(self, descriptors: bytes) -> None:
        self.pool = descriptor_pool.DescriptorPool()
        for file in FileDescriptorSet.FromString(descriptors).file:
            self.pool.Add(file)

    def __getattr__(self, name: str) -> Any:
        return self.named(f"library.v1.{name}")

    def named(self, full_name: str) -> Any:
        return message_factory.GetMessageClass(self.pool.FindMessageTypeByName(full_name))


@dataclass
class Library:
    """The handlers, and what they saw."""

    types: Types
    seen: list[Any] = field(default_factory=list)
    metadata: dict[str, str] = field(default_factory=dict)
    remaining: float | None = None
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    sent: int = 0
    fail_first: int = 0

    def note(self, request: Any, context: Any) -> None:
        self.seen.append(request)
        self.metadata = dict(context.invocation_metadata() or ())
        self.remaining = context.time_remaining()

    @contextmanager
    def noting_cancellation(self) -> Iterator[None]:
        """A stream whose call is cancelled is closed, or its handler is: whichever comes first."""
        try:
            yield
        except (asyncio.CancelledError, GeneratorExit):
            self.cancelled.set()
            raise

    async def get_book(self, request: Any, context: Any) -> Any:
        self.note(request, context)
        if self.fail_first:
            self.fail_first -= 1
            await context.abort(grpc.StatusCode.UNAVAILABLE, "10.0.0.1 refused")
        if request.book_id == "missing":
            await context.abort(grpc.StatusCode.NOT_FOUND, "There is no such book.")
        return self.types.Book(id=request.book_id, title="Emma", copies=7, accepted_prediction=3, kind=1)

    async def list_books(self, request: Any, context: Any) -> Any:
        self.note(request, context)
        count = min(request.page_size, 100)
        return self.types.ListBooksResponse(books=[self.types.Book(id=str(each)) for each in range(count)])

    async def list_ids(self, request: Any, context: Any) -> Any:
        self.note(request, context)
        return self.types.Everything(texts=[str(each) for each in range(min(request.page_size, 100))])

    async def book_of(self, request: Any, context: Any) -> Any:
        self.note(request, context)
        return request.book

    async def empty(self, request: Any, context: Any) -> Any:
        self.note(request, context)
        return self.types.named("google.protobuf.Empty")()

    async def echo(self, request: Any, context: Any) -> Any:
        self.note(request, context)
        if request.text == "no JSON":
            request.value.number_value = float("nan")
        return request

    async def fail(self, request: Any, context: Any) -> None:
        self.note(request, context)
        code = getattr(grpc.StatusCode, request.code or "INTERNAL")
        if not request.details:
            await context.abort(code, request.message)
        status = status_pb2.Status(code=code.value[0], message=request.message)
        for name in request.details:
            if name.startswith("{"):
                status.details.add().Pack(json_format.Parse(name, http_pb2.HttpResponse()))
            elif name == "foreign":
                status.details.add(type_url="type.googleapis.com/nobody.Knows", value=b"\x01\x02")
            else:
                status.details.add().Pack(_detail(name))
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        await context.abort(code, request.message)

    async def answer(self, request: Any, context: Any) -> Any:
        self.note(request, context)
        cookies = [("x-http-header-set-cookie", each) for each in request.cookies]
        await context.send_initial_metadata([*request.metadata.items()])
        context.set_trailing_metadata(cookies)
        return self.types.Everything(text="answered")

    async def count(self, request: Any, context: Any) -> AsyncIterator[Any]:
        self.note(request, context)
        with self.noting_cancellation():
            for number in range(1, (request.upto or 1_000_000_000) + 1):
                if request.fail_after and number > request.fail_after:
                    await context.abort(grpc.StatusCode.ABORTED, "Counted enough.")
                yield self.types.CountResponse(number=number)
                self.sent = number
                await asyncio.sleep(request.pause_seconds)

    async def wait(self, request: Any, context: Any) -> Any:
        self.note(request, context)
        with self.noting_cancellation():
            await asyncio.sleep(request.pause_seconds)
        return self.types.CountResponse(number=1)

    async def download(self, request: Any, context: Any) -> Any:
        self.note(request, context)
        await context.send_initial_metadata((("x-http-header-etag", '"v1"'),))
        return self.types.named("google.api.HttpBody")(content_type="text/plain", data=TEXT)

    async def download_chunks(self, request: Any, context: Any) -> AsyncIterator[Any]:
        self.note(request, context)
        if request.say_length:
            length = str(request.chunks * request.chunk_size)
            await context.send_initial_metadata((("x-http-header-content-length", length),))
        body = self.types.named("google.api.HttpBody")
        with self.noting_cancellation():
            for number in range(request.chunks):
                if request.fail_after and number >= request.fail_after:
                    await context.abort(grpc.StatusCode.INTERNAL, "The disk is gone.")
                yield body(content_type="application/x-book", data=bytes([number % 256]) * request.chunk_size)
                self.sent = number + 1

    async def upload(self, request: Any, context: Any) -> Any:
        self.note(request, context)
        return self._received([request])

    async def upload_chunks(self, requests: AsyncIterator[Any], context: Any) -> Any:
        got = [each async for each in requests]
        self.note(got[0], context)
        return self._received(got)

    def _received(self, requests: list[Any]) -> Any:
        data = b"".join(each.content.data for each in requests)
        return self.types.UploadResponse(
            size=len(data),
            content_type=requests[0].content.content_type,
            sha256=hashlib.sha256(data).hexdigest(),
            messages=len(requests),
            book_id=requests[0].book_id,
        )

    async def sum(self, requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        total = 0
        async for each in requests:
            total += each.upto
            yield self.types.CountResponse(number=total)


def _detail(name: str) -> Any:
    match name:
        case "info":
            return error_details_pb2.ErrorInfo(
                reason="OUT_OF_BOOKS", domain="library", metadata={"left": "0"}
            )
        case "fields":
            bad = error_details_pb2.BadRequest()
            bad.field_violations.add(field='some_thing.by_name["a.b"].maybe_text', description="is no name")
            bad.field_violations.add(field="not_mine[3].page_count", description="is too small")
            return bad
        case "retry":
            retry = error_details_pb2.RetryInfo()
            retry.retry_delay.seconds, retry.retry_delay.nanos = 2, 500_000_000
            return retry
    return error_details_pb2.DebugInfo(stack_entries=["secret.py:1"])


def handlers(library: Library) -> grpc.GenericRpcHandler:
    """Answers the service's handlers, by the shapes that the descriptor gives."""
    functions: Mapping[str, Callable[..., Any]] = {
        "GetBook": library.get_book,
        "ListBooks": library.list_books,
        "ListIds": library.list_ids,
        "CreateBook": library.book_of,
        "UpdateBook": library.book_of,
        "DeleteBook": library.empty,
        "LendBook": library.echo,
        "Echo": library.echo,
        "Fail": library.fail,
        "Answer": library.answer,
        "Count": library.count,
        "Download": library.download,
        "DownloadChunks": library.download_chunks,
        "Upload": library.upload,
        "UploadChunks": library.upload_chunks,
        "Sum": library.sum,
        "Wait": library.wait,
        "Internal": library.empty,
    }
    service = library.types.pool.FindServiceByName(SERVICE)
    methods = {}
    for method in service.methods:
        shape = {
            (False, False): grpc.unary_unary_rpc_method_handler,
            (False, True): grpc.unary_stream_rpc_method_handler,
            (True, False): grpc.stream_unary_rpc_method_handler,
            (True, True): grpc.stream_stream_rpc_method_handler,
        }[method.client_streaming, method.server_streaming]
        taken = library.types.named(method.input_type.full_name)
        given = library.types.named(method.output_type.full_name)
        methods[method.name] = shape(functions[method.name], taken.FromString, given.SerializeToString)
    return grpc.method_handlers_generic_handler(SERVICE, methods)

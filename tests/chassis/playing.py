"""The sample service of the RPC tests: compiled when first imported, and played by one servicer."""
# ruff: noqa: N802 - gRPC methods are named as in the proto.

from __future__ import annotations

import asyncio
import importlib
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from grpc_tools import protoc

from buf.validate import validate_pb2
from chassis.access.employment import AccessCache
from chassis.access.principals import Principals
from chassis.auth.authenticate import Authenticator
from chassis.auth.keys import SigningKeys
from chassis.auth.peers import PeerVerifier
from chassis.call import Call, audited, current, rests_on_staff
from chassis.errors import NotFound
from chassis.rpc.server import RpcServer
from chassis.rpc.serving import Gatekeeper, Limits
from chassis.testing.callers import Callers
from wrtn.access.v1 import access_pb2

PROTOS = Path(__file__).with_name("protos")
FOREVER = 3600.0


def _compiled() -> tuple[Any, Any]:
    folder = Path(tempfile.mkdtemp(prefix="wrtn-sample-"))
    files: dict[str, FileDescriptorProto] = {}
    pending = [access_pb2.DESCRIPTOR, validate_pb2.DESCRIPTOR]
    while pending:
        file = pending.pop()
        files[file.name] = FileDescriptorProto.FromString(file.serialized_pb)
        pending += file.dependencies
    given = folder / "imports.binpb"
    given.write_bytes(FileDescriptorSet(file=files.values()).SerializeToString())
    arguments = [
        f"-I{PROTOS}",
        f"--descriptor_set_in={given}",
        f"--python_out={folder}",
        f"--grpc_python_out={folder}",
    ]
    assert protoc.main(["protoc", *arguments, "sample/v1/sample.proto"]) == 0
    sys.path.append(str(folder))
    return importlib.import_module("sample.v1.sample_pb2"), importlib.import_module(
        "sample.v1.sample_pb2_grpc"
    )


pb, pb_grpc = _compiled()


class MessageMissing(NotFound):
    """A leaf error as a service has it."""

    reason = "MESSAGE_MISSING"


@dataclass
class Sample:
    """Does what the text says: fail, crash, wait, or else echo. It audits all but what is "unseen"."""

    calls: list[Call] = field(default_factory=list)
    cancelled: int = 0
    entered: asyncio.Event = field(default_factory=asyncio.Event)

    async def _do(self, request: Any) -> Any:
        self.calls.append(current())
        self.entered.set()
        if request.text == "fail":
            raise MessageMissing("There is no such message.", field="text", id="7")
        if request.text == "crash":
            raise RuntimeError("canary: the secret of the handler")
        if request.text == "wait":
            try:
                await asyncio.sleep(FOREVER)
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
        if request.text == "unseen, by right":
            rests_on_staff()
        if not request.text.startswith("unseen"):
            audited()
        return pb.Text(text=request.text)

    async def _one(self, request: Any, context: Any) -> Any:
        return await self._do(request)

    Echo = Anyone = Change = Moderate = Administer = Record = Internal = _one
    Manage = Lead = Pay = Work = Look = Sign = Appoint = _one

    async def Count(self, request: Any, context: Any) -> AsyncIterator[Any]:
        for number in range(3):
            yield pb.Text(text=str(number))
        yield await self._do(request)

    async def Collect(self, requests: AsyncIterator[Any], context: Any) -> Any:
        texts = [(await self._do(request)).text async for request in requests]
        return pb.Text(text=" ".join(texts))

    async def Chat(self, requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        async for request in requests:
            yield await self._do(request)

    WorkLive = Chat


@dataclass
class Served:
    """A sample service that serves, and what it stands on."""

    sample: Sample
    stub: Any
    address: str
    gate: Gatekeeper
    principals: Principals
    access: AccessCache
    server: RpcServer


@asynccontextmanager
async def served(
    callers: Callers,
    *,
    servicer: Any = None,
    service: str = "sample",
    limits: Limits | None = None,
    ttl: float = 5,
) -> AsyncIterator[Served]:
    """Serves the sample behind the real interceptor, without database and broker; its caches have `ttl`."""
    principals = Principals(callers.principal, ttl=ttl)
    access = AccessCache(callers.access, ttl=ttl)
    verifier = PeerVerifier(service, callers.peer_keys_dir, callers.clock)
    authenticator = Authenticator(SigningKeys(callers.jwks), verifier, principals, callers.clock)
    gate = Gatekeeper(authenticator, access, limits or Limits())
    sample = servicer or Sample()
    server = RpcServer([(pb_grpc.add_SampleServiceServicer_to_server, sample)], gate)
    port = await server.start("127.0.0.1:0")
    address = f"127.0.0.1:{port}"
    try:
        async with grpc.aio.insecure_channel(address) as channel:
            yield Served(
                sample, pb_grpc.SampleServiceStub(channel), address, gate, principals, access, server
            )
    finally:
        await server.drain(0)

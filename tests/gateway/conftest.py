"""Compiles the tests' proto once; serves it and a gateway in front of it in each test's own loop."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from google.api import annotations_pb2, httpbody_pb2
from google.protobuf import struct_pb2, wrappers_pb2
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from grpc_tools import protoc
from protovalidate._gen.buf.validate import validate_pb

from gateway.app import Gateway, opened
from gateway.settings import Settings
from tests.gateway.library import SERVICE, Library, Types, handlers

PROTOS = Path(__file__).parent / "protos"
ROOT = Path(__file__).parents[2]

Open = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


def free_port() -> int:
    """A port for a server that cannot say which one it chose."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def descriptor_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled descriptor set of `protos/`, with imports and comments."""
    folder = tmp_path_factory.mktemp("descriptors")
    given, out = folder / "imports.binpb", folder / "library.binpb"
    given.write_bytes(_imports().SerializeToString())
    arguments = [
        f"-I{PROTOS}",
        f"-I{ROOT / 'protos'}",
        f"--descriptor_set_in={given}",
        f"--descriptor_set_out={out}",
    ]
    code = protoc.main(["protoc", *arguments, "--include_imports", "--include_source_info", "library.proto"])
    assert code == 0
    return out


def _imports() -> FileDescriptorSet:
    found: dict[str, FileDescriptorProto] = {}

    def add(file: FileDescriptor) -> None:
        for dependency in file.dependencies:
            add(dependency)
        found[file.name] = FileDescriptorProto.FromString(file.serialized_pb)

    for module in (annotations_pb2, httpbody_pb2, struct_pb2, wrappers_pb2):
        add(module.DESCRIPTOR)
    validate = FileDescriptorProto.FromString(validate_pb.desc().proto.to_binary())
    known = Path(protoc.__file__).parent / "_proto"
    assert known.exists()
    return FileDescriptorSet(file=[*found.values(), *_well_known(found), validate])


def _well_known(found: dict[str, FileDescriptorProto]) -> list[FileDescriptorProto]:
    from_names = ("duration", "empty", "field_mask", "timestamp", "any")
    modules = [__import__(f"google.protobuf.{name}_pb2", fromlist=["DESCRIPTOR"]) for name in from_names]
    files = [FileDescriptorProto.FromString(each.DESCRIPTOR.serialized_pb) for each in modules]
    return [file for file in files if file.name not in found]


@pytest.fixture(scope="session")
def types(descriptor_set: Path) -> Types:
    """The message classes of the tests' proto."""
    return Types(descriptor_set.read_bytes())


@pytest.fixture
async def library(types: Types) -> Library:
    """The handlers of the backend, to look into."""
    return Library(types)


@pytest.fixture
async def backend(library: Library) -> AsyncIterator[str]:
    """The address of a running backend."""
    # A shared port could be that of another process's test, and its server would get our calls.
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers((handlers(library),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield f"127.0.0.1:{port}"
    await server.stop(None)


@pytest.fixture
def settings(descriptor_set: Path, backend: str) -> Callable[..., Settings]:
    """Makes settings for the backend; arguments replace what they name."""

    def make(**changes: Any) -> Settings:
        standing: dict[str, Any] = {
            "descriptor_set": descriptor_set,
            "backends": ((SERVICE, backend),),
            "metrics_port": 0,
            "docs": False,
            # What a test sent is then all that the answer holds.
            "emit_defaults": False,
        }
        return Settings(**(standing | changes))

    return make


@pytest.fixture
def gateway(settings: Callable[..., Settings]) -> Open:
    """Opens a client of a gateway with the settings named."""

    @asynccontextmanager
    async def open_client(**changes: Any) -> AsyncIterator[httpx.AsyncClient]:
        async with opened(settings(**changes)) as app, client_of(app) as client:
            yield client

    return open_client


@asynccontextmanager
async def client_of(app: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client that calls the ASGI application in this process."""
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=True)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        yield client


@pytest.fixture
async def client(gateway: Open) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a gateway with standing settings."""
    async with gateway() as opened_client:
        yield opened_client

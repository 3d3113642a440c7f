"""Who may call what, from the contracts themselves: every RPC of every service, over its own port."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import grpc
import pytest
from google.protobuf import descriptor_pb2, message_factory
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message

from deploy.local.plan import ROOT, SERVICES
from tests.e2e.suite import Suite
from tests.replay.people import Member
from tests.replay.rest import Rest
from wrtn.access.v1.access_pb2 import Rule, rule

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

CODES = grpc.StatusCode


@dataclass(frozen=True, slots=True)
class Rpc:
    """A method of the contracts, with its rule."""

    service: str
    path: str
    rule: Rule
    descriptor: MethodDescriptor

    def request(self, enterprise_id: str) -> Message:
        """Builds a request that names this enterprise where the rule looks for one."""
        built = message_factory.GetMessageClass(self.descriptor.input_type)()
        if field := self.rule.enterprise.enterprise_field:
            setattr(built, field, enterprise_id)
        return built


def rpcs() -> Iterator[Rpc]:
    """Reads every method of the suite from the descriptor set."""
    pool = DescriptorPool()
    described = descriptor_pb2.FileDescriptorSet.FromString(
        (ROOT / "wrtn" / "descriptors.binpb").read_bytes()
    )
    for file in described.file:
        pool.Add(file)
    for file in described.file:
        for service in file.service:
            for method in service.method:
                owner = f"{file.package}.{service.name}"
                found = pool.FindMethodByName(f"{owner}.{method.name}")
                yield Rpc(
                    file.package.split(".")[1],
                    f"/{owner}/{method.name}",
                    method.options.Extensions[rule],
                    found,
                )


RPCS = list(rpcs())
GUARDED = [each for each in RPCS if not each.rule.anyone]


@pytest.fixture(scope="module")
def channels(suite: Suite) -> Iterator[dict[str, grpc.Channel]]:
    """A channel to each service."""
    opened = {service: grpc.insecure_channel(suite.plan.address(service)) for service in SERVICES}
    yield opened
    for channel in opened.values():
        channel.close()


@pytest.fixture
async def member(suite: Suite) -> Member:
    """A member who has signed in and is employed nowhere."""
    rest = Rest(suite.plan.url("gateway"))
    key = uuid.uuid4().hex
    found = Member(f"{key}@example.com", f"a password for {key}", "Nobody Employed")
    await found.join(rest, suite.plan.url("mail"), key)
    await rest.close()
    return found


def test_every_rpc_declares_who_may_call_it() -> None:
    assert {each.service for each in RPCS} == set(SERVICES)
    assert [each.path for each in RPCS if not each.rule.ByteSize()] == []


@pytest.mark.parametrize("rpc", GUARDED, ids=lambda rpc: rpc.path)
def test_nobody_calls_without_a_credential_or_with_a_forged_one(
    rpc: Rpc, channels: dict[str, grpc.Channel]
) -> None:
    assert code(channels, rpc, None) == CODES.UNAUTHENTICATED
    for token in ("", "nonsense", unsigned("at+jwt", "wrtn.identity"), unsigned("peer+jwt", "identity")):
        assert code(channels, rpc, token) == CODES.UNAUTHENTICATED, token


async def test_a_member_reaches_nothing_that_is_for_employees_peers_or_credentials(
    member: Member, channels: dict[str, grpc.Channel]
) -> None:
    for rpc in GUARDED:
        if rpc.rule.enterprise.ByteSize():
            # A foreign enterprise and a missing one look the same.
            assert code(channels, rpc, member.access_token) == CODES.NOT_FOUND, rpc.path
        elif not rpc.rule.member:
            assert code(channels, rpc, member.access_token) == CODES.PERMISSION_DENIED, rpc.path


def code(channels: dict[str, grpc.Channel], rpc: Rpc, token: str | None) -> grpc.StatusCode:
    """Calls the method and answers the status code."""
    request = rpc.request(str(uuid.uuid4()))
    metadata = () if token is None else (("authorization", f"Bearer {token}"),)
    channel, write = channels[rpc.service], type(request).SerializeToString
    try:
        if rpc.descriptor.client_streaming:
            list(channel.stream_stream(rpc.path, write)(iter([request]), timeout=10, metadata=metadata))
        else:
            channel.unary_unary(rpc.path, write)(request, timeout=10, metadata=metadata)
    except grpc.RpcError as error:
        return cast("grpc.Call", error).code()
    return CODES.OK


def unsigned(kind: str, issuer: str) -> str:
    """Forges a token without a signature (alg none)."""
    ids = {name: str(uuid.uuid4()) for name in ("sub", "login", "account")}
    claims = {"iss": issuer, "aud": "wrtn", "kind": "member", "exp": 4_000_000_000, **ids}
    parts = ({"alg": "none", "typ": kind}, claims)
    return (
        ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
        + "."
    )

"""Every RPC of the contracts, and every kind of caller that the running suite knows."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import cast

import grpc
from google.protobuf import descriptor_pb2, message_factory
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import ErrorInfo
from grpc_status import rpc_status

from chassis.access.scopes import SCOPES
from chassis.auth.peers import PeerSigner
from chassis.clock import Clock
from deploy.local.plan import ROOT, SERVICES
from deploy.local.secrets import Secrets
from tests.e2e.suite import Suite
from tests.replay.people import Member
from tests.replay.rest import Rest
from tests.replay.world import PEOPLE, World, build
from wrtn.access.v1.access_pb2 import (
    STAFF_RIGHT_ADMINISTRATOR,
    STAFF_RIGHT_MODERATOR,
    Role,
    Rule,
    Title,
    rule,
)

Fields = Mapping[str, str | int | bytes | list[str]]
"""What is put into a request, by the names of its fields."""

SHARED = {"subjects": tuple(each for each in SERVICES if each != "identity")}
"""Who serves what is in no service's own package, where it is not all of them; identity asks the others."""

GOOD: Fields = {
    "address": "somebody@example.com",
    "csv": b"no columns",
    "current_password": "seven purple giraffes",
    "display_name": "Nothing in particular",
    "effect": 1,
    "image": b"no image",
    "input_form": '{"type":"object"}',
    "media_type": "image/png",
    "model": "openai/gpt-4o",
    "new_password": "eight yellow elephants",
    "password": "seven purple giraffes",
    "reason": "because it has to be",
    "resource": "model:openai/gpt-4o",
    "role": Role.ROLE_MEMBER,
    "scopes": ["read"],
    "sha256": bytes(32),
    "size": 1,
    "title": Title.TITLE_MEMBER,
    "version": 1,
}
"""A good value for each field that a request must have, by name."""

ADMITTED = {grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.FAILED_PRECONDITION}
"""What an admitted caller gets for a request that names nothing but what the rule looks at."""

KEY_SCOPES: tuple[tuple[str, ...], ...] = (("read",), ("write",), ("read", "write"))
"""The scopes that the API keys of a member have here."""

THINGS = (
    "team_id",
    "parent_team_id",
    "employee_id",
    "member_id",
    "account_id",
    "credential_id",
    "api_key_id",
    "chat_session_id",
    "procedure_id",
    "procedure_session_id",
)
"""The request fields that name what an enterprise or a member keeps from others."""


@dataclass(frozen=True, slots=True)
class Rpc:
    """A method of the contracts, with its rule."""

    service: str
    path: str
    rule: Rule
    descriptor: MethodDescriptor

    @property
    def reads(self) -> bool:
        """Whether it has no side effects."""
        return self.descriptor.GetOptions().idempotency_level == descriptor_pb2.MethodOptions.NO_SIDE_EFFECTS

    def request(self, fields: Fields) -> Message:
        """Builds a request of those of the fields that it has."""
        built = message_factory.GetMessageClass(self.descriptor.input_type)()
        for path, value in fields.items():
            first, _, rest = path.partition(".")
            if first not in self.descriptor.input_type.fields_by_name:
                continue
            target, name = (getattr(built, first), rest) if rest else (built, first)
            if isinstance(value, list):
                getattr(target, name).extend(value)
            else:
                setattr(target, name, value)
        return built

    def harmless(self) -> dict[str, str | int]:
        """Answers a field that has an admitted caller's request refused, so that it changes nothing."""
        known = self.descriptor.input_type.fields_by_name
        return {"request_id": "x" * 101} if "request_id" in known else {}

    def plausible(self) -> dict[str, str | int | bytes | list[str]]:
        """Answers what each field of the request may well hold: ids of nothing, and good values."""
        known = self.descriptor.input_type.fields_by_name
        ids: dict[str, str | int | bytes | list[str]] = {
            name: str(uuid.uuid4())
            for name, field in known.items()
            if name.endswith("_id") and name != "request_id" and field.type == field.TYPE_STRING
        }
        moments = {
            f"{name}.seconds": int(time.time()) + 86_400 for name in ("end_time", "at_time") if name in known
        }
        return ids | moments | {name: value for name, value in GOOD.items() if _fits(known.get(name), value)}

    def named(self, enterprise_id: str, team_id: str = "") -> dict[str, str | int]:
        """Answers the fields in which the rule looks for an enterprise and a team."""
        wanted = self.rule.enterprise
        fields: dict[str, str | int] = {wanted.enterprise_field: enterprise_id, wanted.team_field: team_id}
        return {name: value for name, value in fields.items() if name} | self.harmless()

    def things(self) -> list[str]:
        """Answers the request fields that name a thing which is hidden from others."""
        if self.path.endswith("/HireEmployee"):
            # Whoever knows the id of a member may hire them: there is nothing to hide.
            return []
        return [each for each in THINGS if each in self.descriptor.input_type.fields_by_name]


def _fits(field: FieldDescriptor | None, value: str | int | bytes | list[str]) -> bool:
    """Whether a field, if there is one, takes such a value: a title is a text here, an enum there."""
    if field is None:
        return False
    if isinstance(value, bytes):
        return bool(field.type == field.TYPE_BYTES)
    return (field.type == field.TYPE_STRING) == (not isinstance(value, int))


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call came to, as far as the caller sees it: an answer that tells more differs."""

    code: grpc.StatusCode
    message: str = ""
    reason: str = ""
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Foreign:
    """An enterprise of others, and one thing of each kind in it, by the request field that names such."""

    enterprise_id: str
    things: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class People:
    """Everybody who may call, with good credentials."""

    world: World
    foreign: Foreign
    credential: str
    """The access token of a service credential of the enterprise."""
    refresh_token: str
    """Of the owner of the enterprise."""
    keys: Mapping[tuple[str, ...], str]
    """API keys of the owner, for the account in the enterprise, by their scopes."""
    enterprise_keys: Mapping[str, str]
    """API keys of the enterprise, by their scope."""

    def employees(self) -> Iterator[tuple[Member, int, dict[str, int]]]:
        """Answers each employee with their title, and their role by the team in which they hold it."""
        for employee, (_, title, _, role) in zip(self.world.employees, PEOPLE, strict=True):
            held = {employee.team_id: int(Role.Value(role))} if role else {}
            yield employee.member, int(Title.Value(title)), held


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
                path = f"/{owner}/{method.name}"
                package = file.package.split(".")[1]
                # What is in no service's own package is served by all of them.
                for each in (package,) if package in SERVICES else SHARED.get(package, SERVICES):
                    yield Rpc(each, path, method.options.Extensions[rule], found)


class Caller:
    """Calls any method of the suite with any token."""

    def __init__(self, suite: Suite) -> None:
        self._channels = {each: grpc.insecure_channel(suite.plan.address(each)) for each in SERVICES}

    def close(self) -> None:
        """Closes the channels."""
        for channel in self._channels.values():
            channel.close()

    def call(self, rpc: Rpc, token: str | None, fields: Fields) -> Answer:
        """Calls the method with these of its fields and answers what the caller sees."""
        request = rpc.request(fields)
        metadata = () if token is None else (("authorization", f"Bearer {token}"),)
        channel, write = self._channels[rpc.service], type(request).SerializeToString
        try:
            if rpc.descriptor.server_streaming and not rpc.descriptor.client_streaming:
                answers: Iterator[bytes] = channel.unary_stream(rpc.path, write)(
                    request, timeout=10, metadata=metadata
                )
                body = b"".join(answers)
            elif rpc.descriptor.client_streaming:
                stream: Iterator[bytes] = channel.stream_stream(rpc.path, write)(
                    iter([request]), timeout=10, metadata=metadata
                )
                body = b"".join(stream)
            else:
                body = channel.unary_unary(rpc.path, write)(request, timeout=10, metadata=metadata)
        except grpc.RpcError as error:
            failed = cast("grpc.Call", error)
            return Answer(failed.code(), failed.details() or "", reason(failed))
        return Answer(grpc.StatusCode.OK, body=body)


def reason(failed: grpc.Call) -> str:
    """Answers the reason that the details of a failure name."""
    status = rpc_status.from_call(failed)
    for detail in status.details if status else ():
        info = ErrorInfo()
        if detail.Unpack(info):
            return str(info.reason)
    return ""


def peer_token(suite: Suite, service: str, target: str) -> str:
    """Signs as one service of the suite to another."""
    key_file = Secrets(suite.plan.state / "secrets", SERVICES).peer_key_file(service)
    return PeerSigner(service, key_file, Clock()).token(target)


def people(suite: Suite) -> People:
    """Builds two enterprises, with the people of one and a service credential of it."""
    return asyncio.run(_people(suite))


async def stranger(suite: Suite) -> Member:
    """A member who has signed in and is employed nowhere."""
    rest = Rest(suite.plan.url("gateway"))
    try:
        return await _joined(rest, suite)
    finally:
        await rest.close()


def staff(suite: Suite) -> dict[int, Member]:
    """Makes an administrator from the command line, who appoints a moderator; answers both by their right."""
    return asyncio.run(_staff(suite))


async def _staff(suite: Suite) -> dict[int, Member]:
    rest = Rest(suite.plan.url("gateway"))
    try:
        boss, other = await _joined(rest, suite), await _joined(rest, suite)
        suite.admin("appoint-administrator", "--email", boss.email)
        await boss.sign_in(rest)
        body: dict[str, object] = {
            "memberId": other.id,
            "staffRight": "STAFF_RIGHT_MODERATOR",
            "reason": "a test",
        }
        await rest.call("POST", "/v1/staff", token=boss.access_token, body=body)
        await other.sign_in(rest)
        return {STAFF_RIGHT_ADMINISTRATOR: boss, STAFF_RIGHT_MODERATOR: other}
    finally:
        await rest.close()


async def _joined(rest: Rest, suite: Suite) -> Member:
    key = uuid.uuid4().hex
    found = Member(f"{key}@example.com", f"a password for {key}", "Nobody Employed")
    await found.join(rest, suite.plan.url("mail"), key)
    return found


async def _people(suite: Suite) -> People:
    rest = Rest(suite.plan.url("gateway"))
    try:
        world = await build(rest, suite.plan.url("mail"), uuid.uuid4(), None, None)
        body = {"credentialId": world.credential_id, "secret": world.secret}
        issued = await rest.call("POST", "/v1/auth:issueServiceToken", body=body)
        body = {"email": world.owner.email, "password": world.owner.password}
        pair = await rest.call("POST", "/v1/auth:signIn", body=body)
        foreign = await _foreign(rest, await _joined(rest, suite))
        keys = {scopes: await _key(rest, world, "/v1/apiKeys", scopes) for scopes in KEY_SCOPES}
        path = f"/v1/enterprises/{world.enterprise_id}/apiKeys"
        of_enterprise = {scope: await _key(rest, world, path, (scope,)) for scope in SCOPES}
        return People(world, foreign, issued["accessToken"], pair["refreshToken"], keys, of_enterprise)
    finally:
        await rest.close()


async def _key(rest: Rest, world: World, path: str, scopes: tuple[str, ...]) -> str:
    body = {"displayName": "a program", "scopes": list(scopes)}
    made = await rest.call("POST", path, token=world.owner.access_token, body=body)
    return str(made["key"])


async def _foreign(rest: Rest, owner: Member) -> Foreign:
    body: dict[str, object] = {
        "displayName": "Elsewhere",
        "slug": f"elsewhere-{uuid.uuid4().hex[:12]}",
        "timeZone": "Asia/Seoul",
    }
    made = await rest.call("POST", "/v1/enterprises", token=owner.access_token, body=body)
    await owner.act(rest, made["accountId"])
    path = f"/v1/enterprises/{made['enterprise']['id']}"
    token = owner.access_token
    team = await rest.call("POST", f"{path}/teams", token=token, body={"displayName": "Strangers"})
    body = {"displayName": "elsewhere", "scopes": ["sessions.record"]}
    credential = await rest.call("POST", f"{path}/serviceCredentials", token=token, body=body)
    body = {"displayName": "elsewhere", "scopes": ["scim.provision"]}
    key = await rest.call("POST", f"{path}/apiKeys", token=token, body=body)
    session = await rest.call("POST", "/v1/chatSessions", token=token, body={"model": "openai/gpt-4o"})
    body = {"code": "elsewhere", "displayName": "elsewhere", "inputForm": '{"type":"object"}'}
    procedure = await rest.call("POST", f"{path}/procedures", token=token, body=body)
    await rest.call("POST", f"{path}/procedures/{procedure['id']}:publish", token=token, body={})
    body = {"procedureId": procedure["id"]}
    run = await rest.call("POST", "/v1/procedureSessions", token=token, body=body)
    ids = (
        team["id"],
        team["id"],
        made["employeeId"],
        owner.id,
        made["accountId"],
        credential["credential"]["id"],
        key["apiKey"]["id"],
        session["id"],
        procedure["id"],
        run["id"],
    )
    return Foreign(made["enterprise"]["id"], dict(zip(THINGS, ids, strict=True)))

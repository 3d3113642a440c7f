"""An API key acts as its member by one account, as far as its scopes go, never where a person is asked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
import pytest_asyncio

from chassis.access.scopes import SCOPES
from chassis.auth import api_keys
from chassis.clock import Clock
from chassis.testing.callers import Callers, Known
from tests.chassis.playing import Served, pb, served
from wrtn.access.v1.access_pb2 import StaffRight, Title

OK = grpc.StatusCode.OK
UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED
DENIED = grpc.StatusCode.PERMISSION_DENIED


@pytest_asyncio.fixture
async def service(callers: Callers) -> AsyncIterator[Served]:
    """The sample service."""
    async with served(callers) as running:
        yield running


async def code(method: Any, bearer: str, request: Any = None) -> grpc.StatusCode:
    """Answers how a call ends."""
    try:
        metadata = (("authorization", f"Bearer {bearer}"),)
        await method(request or pb.Text(text="hello"), metadata=metadata)
    except grpc.aio.AioRpcError as error:
        return error.code()
    return OK


async def reached(service: Served, known: Known) -> set[str]:
    """Answers which of the methods admit the caller; an enterprise is named where the rule looks for one."""
    place = pb.Place(enterprise_id=str(known.tenant_id))
    names = ("Anyone", "Look", "Echo", "Sign", "Work", "Appoint", "Manage", "Moderate", "Record", "Internal")
    request = pb.Text(text="hello", place=place)
    return {name for name in names if await code(getattr(service.stub, name), known.bearer, request) is OK}


@pytest.mark.parametrize("made", [api_keys.of_member, api_keys.of_enterprise])
def test_a_key_reads_back_as_whose_it_is_and_nothing_of_it_but_a_hash(made: Any, clock: Clock) -> None:
    principal_id = clock.new_id()
    text = made(principal_id, clock)
    key = api_keys.parsed(text)
    assert key is not None
    assert text.startswith("wrtn_")
    assert key.principal_id == principal_id
    assert key.member == (made is api_keys.of_member)
    assert text not in repr(key)
    assert made(principal_id, clock) != text


def test_a_key_with_any_character_changed_is_told_without_a_look_up(clock: Clock) -> None:
    text = api_keys.of_member(clock.new_id(), clock)
    for place, letter in enumerate(text):
        other = "A" if letter != "A" else "B"
        assert api_keys.parsed(text[:place] + other + text[place + 1 :]) is None, place
    for wrong in (text[:-1], text + "A", text + "\n", text.upper(), "wrtn_", "wrtn_rt_" + text[8:]):
        assert api_keys.parsed(wrong) is None


async def test_a_mistyped_key_asks_nobody(service: Served, callers: Callers) -> None:
    key = callers.api_key(callers.member(), "read").bearer
    for wrong in (key[:-1] + ("A" if key[-1] != "A" else "B"), "wrtn_rt_something", "wrtn_"):
        assert await code(service.stub.Look, wrong) is UNAUTHENTICATED
    assert callers.asked == []


async def test_a_key_that_nobody_has_is_unauthenticated_and_not_remembered(
    service: Served, callers: Callers
) -> None:
    for made in (api_keys.of_member, api_keys.of_enterprise):
        assert await code(service.stub.Anyone, made(callers.clock.new_id(), callers.clock)) is UNAUTHENTICATED
    assert vars(service.gate.authenticator)["_proofs"] == {}


async def test_a_key_acts_as_its_member_by_its_account_and_identity_is_asked_once(
    service: Served, callers: Callers
) -> None:
    member = callers.member()
    key = callers.api_key(member, "read", "write")
    for _ in range(3):
        assert await code(service.stub.Echo, key.bearer) is OK
    caller = service.sample.calls[0].caller
    assert (caller.member_id, caller.account_id) == (member.member_id, member.account_id)
    assert (caller.tenant_id, caller.login_id) == (member.tenant_id, key.token.login_id)
    assert caller.api_key
    assert callers.asked == ["principal"]


@pytest.mark.parametrize(
    ("scopes", "wanted"),
    [
        (("read",), {"Anyone", "Look"}),
        (("write",), {"Anyone", "Echo", "Work", "Manage"}),
        (("read", "write"), {"Anyone", "Look", "Echo", "Work", "Manage"}),
        ((), {"Anyone"}),
    ],
)
async def test_a_key_reaches_what_its_scopes_say_and_nothing_that_asks_for_a_person(
    scopes: tuple[str, ...], wanted: set[str], service: Served, callers: Callers
) -> None:
    owner = callers.employee(callers.clock.new_id(), Title.TITLE_OWNER)
    assert await reached(service, owner) == {"Anyone", "Look", "Echo", "Sign", "Work", "Appoint", "Manage"}
    assert await reached(service, callers.api_key(owner, *scopes)) == wanted


async def test_a_refused_key_is_told_what_it_lacks(service: Served, callers: Callers) -> None:
    key = callers.api_key(callers.member(), "read")
    for method, said in ((service.stub.Echo, "the scope write"), (service.stub.Sign, "sign in")):
        with pytest.raises(grpc.aio.AioRpcError, match=said) as refused:
            await method(pb.Text(), metadata=key.metadata)
        assert refused.value.code() is DENIED


async def test_staff_rights_never_come_through_a_key(service: Served, callers: Callers) -> None:
    staff = callers.member(staff=StaffRight.STAFF_RIGHT_ADMINISTRATOR)
    key = callers.api_key(staff, "read", "write")
    assert await code(service.stub.Moderate, staff.bearer) is OK
    assert await code(service.stub.Moderate, key.bearer) is DENIED


async def test_an_enterprise_key_reaches_what_its_scope_names_alone(
    service: Served, callers: Callers
) -> None:
    enterprise_id = callers.clock.new_id()
    assert await reached(service, callers.enterprise_key(enterprise_id, "sessions.record")) == {
        "Anyone",
        "Record",
    }
    assert await reached(service, callers.enterprise_key(enterprise_id, "scim.provision")) == {"Anyone"}
    caller = next(call.caller for call in service.sample.calls if call.method.endswith("Record"))
    assert caller.tenant_id == enterprise_id
    assert caller.credential_id is not None


async def test_a_key_ends_once_the_cache_is_told_of_its_member(service: Served, callers: Callers) -> None:
    member = callers.member()
    key = callers.api_key(member, "read")
    assert await code(service.stub.Look, key.bearer) is OK
    callers.end(key)
    service.principals.drop([member.member_id])
    assert await code(service.stub.Look, key.bearer) is UNAUTHENTICATED


def test_the_proto_lists_every_scope() -> None:
    assert SCOPES == ("sessions.record", "scim.provision")

"""Each kind of access rule admits exactly whom it names, and a method without one does not start."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import grpc
import pytest
import pytest_asyncio

from chassis.access.employment import AccessCache
from chassis.access.principals import Principals
from chassis.access.rules import RulesError, rules_of
from chassis.rpc.server import RpcServer
from chassis.testing.callers import Callers, Known, Metadata
from chassis.testing.waiting import until
from tests.chassis.playing import Sample, Served, pb, pb_grpc, served
from wrtn.access.v1.access_pb2 import Duty, Role, StaffRight, Title

OK = grpc.StatusCode.OK
UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED
DENIED = grpc.StatusCode.PERMISSION_DENIED
NOT_FOUND = grpc.StatusCode.NOT_FOUND
INVALID = grpc.StatusCode.INVALID_ARGUMENT


@pytest_asyncio.fixture
async def service(callers: Callers) -> AsyncIterator[Served]:
    """The sample service."""
    async with served(callers) as running:
        yield running


async def code(method: Any, metadata: Metadata = (), request: Any = None) -> grpc.StatusCode:
    """Answers how a call ends."""
    try:
        await method(request or pb.Text(text="hello"), metadata=metadata)
    except grpc.aio.AioRpcError as error:
        return error.code()
    return OK


def about(enterprise_id: UUID | str, team_id: UUID | str = "") -> Any:
    """A request that names an enterprise, and a team."""
    return pb.Text(text="hello", place=pb.Place(enterprise_id=str(enterprise_id), team_id=str(team_id)))


async def test_who_may_call_without_an_enterprise(service: Served, callers: Callers) -> None:
    stub = service.stub
    kinds: dict[str, Metadata] = {
        "nobody": (),
        "member": callers.member().metadata,
        "moderator": callers.member(staff=StaffRight.STAFF_RIGHT_MODERATOR).metadata,
        "administrator": callers.member(staff=StaffRight.STAFF_RIGHT_ADMINISTRATOR).metadata,
        "recorder": callers.credential("sessions.record").metadata,
        "other credential": callers.credential("sessions.read").metadata,
        "peer": callers.peer("billing", "sample"),
    }
    members = {"member", "moderator", "administrator"}
    admitted = {
        stub.Anyone: set(kinds),
        stub.Echo: members,
        stub.Moderate: {"moderator", "administrator"},
        stub.Administer: {"administrator"},
        stub.Record: {"recorder"},
        stub.Internal: {"peer"},
    }
    for method, wanted in admitted.items():
        for kind, metadata in kinds.items():
            expected = OK if kind in wanted else UNAUTHENTICATED if kind == "nobody" else DENIED
            assert await code(method, metadata) is expected, (kind, method)


@pytest.mark.parametrize(
    ("title", "expected"),
    [(Title.TITLE_MEMBER, DENIED), (Title.TITLE_MANAGER, OK), (Title.TITLE_OWNER, OK)],
)
async def test_a_title_counts_with_those_above_it(
    title: Title.ValueType, expected: grpc.StatusCode, service: Served, callers: Callers
) -> None:
    enterprise_id = callers.clock.new_id()
    employee = callers.employee(enterprise_id, title)
    assert await code(service.stub.Manage, employee.metadata, about(enterprise_id)) is expected


@pytest.mark.parametrize(
    ("title", "duties", "expected"),
    [
        (Title.TITLE_OWNER, (), OK),
        (Title.TITLE_MANAGER, (Duty.DUTY_BILLING,), OK),
        (Title.TITLE_MANAGER, (Duty.DUTY_SECURITY, Duty.DUTY_BILLING), OK),
        (Title.TITLE_MANAGER, (Duty.DUTY_SECURITY,), DENIED),
        (Title.TITLE_MANAGER, (), DENIED),
        (Title.TITLE_MEMBER, (Duty.DUTY_BILLING,), DENIED),
    ],
)
async def test_a_manager_with_the_duty_passes_where_an_owner_is_asked_for(
    title: Title.ValueType,
    duties: tuple[Duty.ValueType, ...],
    expected: grpc.StatusCode,
    service: Served,
    callers: Callers,
) -> None:
    enterprise_id = callers.clock.new_id()
    employee = callers.employee(enterprise_id, title, duties=duties)
    assert await code(service.stub.Pay, employee.metadata, about(enterprise_id)) is expected
    if duties:
        # A rule that names no duty is passed by none.
        expected = OK if title >= Title.TITLE_OWNER else DENIED
        assert await code(service.stub.Lead, employee.metadata, about(enterprise_id)) is expected


async def test_a_foreign_and_a_missing_enterprise_look_the_same(service: Served, callers: Callers) -> None:
    own, foreign, missing = (callers.clock.new_id() for _ in range(3))
    owner = callers.employee(own, Title.TITLE_OWNER)
    callers.employee(foreign, Title.TITLE_OWNER)
    for enterprise_id in (foreign, missing):
        assert await code(service.stub.Manage, owner.metadata, about(enterprise_id)) is NOT_FOUND
    assert await code(service.stub.Manage, callers.member().metadata, about(own)) is NOT_FOUND


async def test_who_left_the_enterprise_does_not_know_it(service: Served, callers: Callers) -> None:
    enterprise_id = callers.clock.new_id()
    left = callers.member(tenant_id=enterprise_id)
    assert await code(service.stub.Manage, left.metadata, about(enterprise_id)) is NOT_FOUND
    assert await code(service.stub.Work, left.metadata) is DENIED


async def test_staff_reach_any_enterprise_that_the_rule_opens(service: Served, callers: Callers) -> None:
    moderator = callers.member(staff=StaffRight.STAFF_RIGHT_MODERATOR)
    assert await code(service.stub.Manage, moderator.metadata, about(callers.clock.new_id())) is OK
    assert await code(service.stub.Lead, moderator.metadata, about(callers.clock.new_id())) is NOT_FOUND


@pytest.mark.parametrize("text", ["", "me", "{00000000-0000-7000-8000-00000000000}", "0" * 32])
async def test_an_id_that_is_none_is_an_invalid_argument(
    text: str, service: Served, callers: Callers
) -> None:
    owner = callers.employee(callers.clock.new_id(), Title.TITLE_OWNER)
    assert await code(service.stub.Manage, owner.metadata, about(text)) is INVALID


async def test_an_enterprise_rule_needs_a_credential_of_a_member(service: Served, callers: Callers) -> None:
    enterprise_id = callers.clock.new_id()
    request = about(enterprise_id)
    assert await code(service.stub.Manage, (), request) is UNAUTHENTICATED
    credential = callers.credential("sessions.record", tenant_id=enterprise_id)
    assert await code(service.stub.Manage, credential.metadata, request) is DENIED


class Tree:
    """An enterprise with a team at the root, one below it, and one beside."""

    def __init__(self, callers: Callers) -> None:
        self.callers = callers
        self.enterprise_id = callers.clock.new_id()
        self.root = callers.team(self.enterprise_id)
        self.below = callers.team(self.enterprise_id, self.root)
        self.deep = callers.team(self.enterprise_id, self.below, self.root)
        self.beside = callers.team(self.enterprise_id)

    def companion(self, team_id: UUID, role: Role.ValueType) -> Known:
        """A plain member of the enterprise with a role in a team."""
        return self.callers.employee(self.enterprise_id, Title.TITLE_MEMBER, {team_id: role})


async def test_a_role_counts_in_its_team_and_all_below(service: Served, callers: Callers) -> None:
    tree = Tree(callers)
    chief = tree.companion(tree.below, Role.ROLE_CHIEF)
    reached = {
        team_id: await code(service.stub.Lead, chief.metadata, about(tree.enterprise_id, team_id))
        for team_id in (tree.root, tree.below, tree.deep, tree.beside)
    }
    assert reached == {tree.root: DENIED, tree.below: OK, tree.deep: OK, tree.beside: DENIED}


async def test_too_small_a_role_is_denied(service: Served, callers: Callers) -> None:
    tree = Tree(callers)
    companion = tree.companion(tree.root, Role.ROLE_MEMBER)
    assert await code(service.stub.Lead, companion.metadata, about(tree.enterprise_id, tree.root)) is DENIED


async def test_a_title_spares_the_role_also_without_a_team(service: Served, callers: Callers) -> None:
    tree = Tree(callers)
    owner = callers.employee(tree.enterprise_id, Title.TITLE_OWNER)
    for team_id in ("", tree.deep):
        assert await code(service.stub.Lead, owner.metadata, about(tree.enterprise_id, team_id)) is OK


async def test_a_foreign_and_a_missing_team_look_the_same(service: Served, callers: Callers) -> None:
    tree, other = Tree(callers), Tree(callers)
    chief = tree.companion(tree.root, Role.ROLE_CHIEF)
    for team_id in (other.root, callers.clock.new_id()):
        assert await code(service.stub.Lead, chief.metadata, about(tree.enterprise_id, team_id)) is DENIED


async def test_the_handler_sees_the_access_that_admitted(service: Served, callers: Callers) -> None:
    tree = Tree(callers)
    chief = tree.companion(tree.root, Role.ROLE_CHIEF)
    await service.stub.Lead(about(tree.enterprise_id, tree.deep), metadata=chief.metadata)
    access = service.sample.calls[0].caller.access
    assert access is not None
    assert access.team is not None
    assert access.team.ancestor_ids == (tree.below, tree.root)
    assert access.roles == {tree.root: Role.ROLE_CHIEF}


async def test_a_stream_is_admitted_by_the_acting_account(service: Served, callers: Callers) -> None:
    employee = callers.employee(callers.clock.new_id(), Title.TITLE_MEMBER)
    texts = [
        each.text
        async for each in service.stub.WorkLive(iter([pb.Text(text="a")]), metadata=employee.metadata)
    ]
    assert texts == ["a"]
    call = service.stub.WorkLive(iter([pb.Text(text="a")]), metadata=callers.member().metadata)
    assert await call.code() is DENIED


async def test_an_ended_principal_is_unauthenticated_once_the_cache_is_told(
    service: Served, callers: Callers
) -> None:
    member = callers.member()
    assert await code(service.stub.Echo, member.metadata) is OK
    callers.end(member)
    service.principals.drop([member.member_id])
    assert await code(service.stub.Echo, member.metadata) is UNAUTHENTICATED


async def test_what_a_right_as_staff_alone_lets_in_fails_unless_it_is_audited(
    service: Served, callers: Callers
) -> None:
    stub, enterprise_id = service.stub, callers.clock.new_id()
    boss = callers.member(staff=StaffRight.STAFF_RIGHT_ADMINISTRATOR)
    manager = callers.employee(enterprise_id, title=Title.TITLE_MANAGER)
    unseen = pb.Text(text="unseen", place=pb.Place(enterprise_id=str(enterprise_id)))
    for method in (stub.Moderate, stub.Administer, stub.Manage):
        assert await code(method, boss.metadata, unseen) is grpc.StatusCode.INTERNAL
    assert await code(stub.Manage, manager.metadata, unseen) is OK, "by their title"
    assert await code(stub.Echo, boss.metadata, unseen) is OK, "as every member may"
    by_right = pb.Text(text="unseen, by right")
    assert await code(stub.Echo, boss.metadata, by_right) is grpc.StatusCode.INTERNAL, "the use case says so"


async def test_without_a_broker_a_right_that_was_taken_ends_with_the_answer_that_told_of_it(
    callers: Callers,
) -> None:
    enterprise_id = callers.clock.new_id()
    place = about(enterprise_id)
    members = [callers.member(), callers.member(staff=StaffRight.STAFF_RIGHT_MODERATOR)]
    keyed, recorder = callers.api_key(callers.member(), "read"), callers.credential("sessions.record")
    employed = callers.employee(enterprise_id, title=Title.TITLE_MANAGER)
    async with served(callers, ttl=0.2) as service:
        stub = service.stub
        calls = [
            (stub.Echo, members[0]),
            (stub.Moderate, members[1]),
            (stub.Look, keyed),
            (stub.Record, recorder),
            (stub.Manage, employed),
            (stub.Work, employed),
        ]
        for method, known in calls:
            assert await code(method, known.metadata, place) is OK
        for ended in (*members, keyed, recorder):
            callers.end(ended)
        callers.dismiss(employed)

        async def all_refused() -> bool:
            return OK not in [await code(method, known.metadata, place) for method, known in calls]

        await until(all_refused)
    for cache in (Principals, AccessCache):
        assert inspect.signature(cache).parameters["ttl"].default == 5, "seconds, as services have it"


@pytest.mark.parametrize(
    ("service", "said"),
    [
        ("NoRuleService", "sample.v1.NoRuleService.Forgotten declares no access rule"),
        ("EmptyRuleService", "admits nobody"),
        ("WrongFieldService", "place.enterprize_id"),
        ("NoTeamService", "no team"),
        ("UselessDutyService", "does not ask for an owner"),
        ("StreamFieldService", "streams its requests"),
        ("UnlistedScopeService", "everything.always"),
    ],
)
def test_a_rule_that_cannot_be_enforced_does_not_start(service: str, said: str) -> None:
    with pytest.raises(RulesError, match=said):
        rules_of([f"sample.v1.{service}"])


async def test_a_server_with_a_method_without_rule_is_not_built(service: Served) -> None:
    class NoRule(pb_grpc.NoRuleServiceServicer):  # type: ignore[misc]
        """Forgets its rule."""

    servicers = [
        (pb_grpc.add_SampleServiceServicer_to_server, Sample()),
        (pb_grpc.add_NoRuleServiceServicer_to_server, NoRule()),
    ]
    with pytest.raises(RulesError, match="Forgotten"):
        RpcServer(servicers, service.gate)

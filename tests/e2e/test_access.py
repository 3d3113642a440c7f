"""Who may call what, from the contracts themselves: every RPC of every service, over its own port."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import grpc
import pytest

from chassis.access.scopes import SCOPES
from deploy.local.plan import SERVICES
from tests.e2e.callers import (
    ADMITTED,
    KEY_SCOPES,
    Answer,
    Caller,
    People,
    Rpc,
    peer_token,
    people,
    rpcs,
    staff,
    stranger,
)
from tests.e2e.forging import altered, unsigned
from tests.e2e.suite import Suite
from tests.replay.people import Member
from tests.replay.world import World

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

CODES = grpc.StatusCode
RPCS = list(rpcs())
GUARDED = [each for each in RPCS if not each.rule.anyone]
EMPLOYEES = [each for each in RPCS if each.rule.HasField("enterprise")]
NO_TITLE = "The caller's title or role does not suffice."


@pytest.fixture(scope="module")
def caller(suite: Suite) -> Iterator[Caller]:
    """Calls the services of the suite."""
    opened = Caller(suite)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def everybody(suite: Suite) -> People:
    """Two enterprises, and the people of one."""
    return people(suite)


@pytest.fixture
async def member(suite: Suite) -> Member:
    """A member who has signed in and is employed nowhere."""
    return await stranger(suite)


def test_every_rpc_declares_who_may_call_it() -> None:
    assert {each.service for each in RPCS} == set(SERVICES)
    assert [each.path for each in RPCS if not each.rule.ByteSize()] == []


@pytest.mark.parametrize("rpc", GUARDED, ids=lambda rpc: rpc.path)
def test_nobody_calls_without_a_credential_or_with_a_forged_one(rpc: Rpc, caller: Caller) -> None:
    assert caller.call(rpc, None, named(rpc)).code == CODES.UNAUTHENTICATED
    for token in ("", "nonsense", unsigned("at+jwt", "wrtn.identity"), unsigned("peer+jwt", "identity")):
        assert caller.call(rpc, token, named(rpc)).code == CODES.UNAUTHENTICATED, token


def test_no_altered_credential_passes_though_the_real_one_does(
    suite: Suite, caller: Caller, everybody: People
) -> None:
    owner, own = everybody.world.owner.access_token, everybody.world.enterprise_id
    jwks = caller.call(next(each for each in RPCS if each.path.endswith("/GetJwks")), None, {}).body
    forged = altered(owner, jwks) | altered(everybody.credential, jwks)
    forged |= {"a refresh token": everybody.refresh_token}
    for rpc in GUARDED:
        # The real ones come first, so that a cache which looks at less than the whole token shows.
        caller.call(rpc, everybody.credential, named(rpc, own))
        if rpc.rule.enterprise.title:
            assert let_in(caller.call(rpc, owner, named(rpc, own))), rpc.path
        other = next(each for each in SERVICES if each != rpc.service)
        for how, token in (forged | {"another audience": peer_token(suite, "identity", other)}).items():
            found = caller.call(rpc, token, named(rpc, own))
            assert found.code == CODES.UNAUTHENTICATED, (rpc.path, how)


def test_a_service_credential_reaches_what_its_scope_names_alone(caller: Caller, everybody: People) -> None:
    for rpc in GUARDED:
        for enterprise_id in (everybody.world.enterprise_id, everybody.foreign.enterprise_id, missing()):
            found = caller.call(rpc, everybody.credential, named(rpc, enterprise_id))
            decide(found, admitted=rpc.rule.service_scope == "sessions.record", about=rpc.path)


@pytest.mark.parametrize("scope", SCOPES)
def test_a_key_of_an_enterprise_reaches_what_its_scope_names_alone(
    scope: str, caller: Caller, everybody: People
) -> None:
    for rpc in GUARDED:
        for enterprise_id in (everybody.world.enterprise_id, everybody.foreign.enterprise_id, missing()):
            found = caller.call(rpc, everybody.enterprise_keys[scope], named(rpc, enterprise_id))
            decide(found, admitted=rpc.rule.service_scope == scope, about=rpc.path)


@pytest.mark.parametrize("scopes", KEY_SCOPES)
def test_a_key_of_a_member_reaches_what_they_do_as_far_as_its_scopes_go_but_nothing_that_wants_a_person(
    scopes: tuple[str, ...], caller: Caller, everybody: People
) -> None:
    world = everybody.world
    for rpc in GUARDED:
        if rpc.rule.enterprise.ByteSize() and not rpc.rule.enterprise.title:
            continue
        found = caller.call(rpc, everybody.keys[scopes], named(rpc, world.enterprise_id))
        refusal = key_refusal(rpc, scopes)
        if refusal is None:
            assert found.code not in (CODES.UNAUTHENTICATED, CODES.PERMISSION_DENIED), (rpc.path, found)
        else:
            assert (found.code, found.reason) == (CODES.PERMISSION_DENIED, refusal), (rpc.path, found)


@pytest.mark.parametrize("service", SERVICES)
def test_a_peer_reaches_what_is_for_peers_alone(suite: Suite, caller: Caller, service: str) -> None:
    for rpc in GUARDED:
        token = peer_token(suite, service, rpc.service)
        decide(caller.call(rpc, token, named(rpc)), admitted=rpc.rule.peer, about=rpc.path)


def test_a_member_reaches_nothing_that_is_for_employees_peers_or_credentials(
    member: Member, caller: Caller, everybody: People
) -> None:
    for rpc in sorted(GUARDED, key=ends_the_caller):
        if not rpc.rule.enterprise.ByteSize():
            found = caller.call(rpc, member.access_token, rpc.harmless())
            decide(found, admitted=rpc.rule.member, about=rpc.path)
            continue
        # A foreign enterprise and a missing one look the same.
        found = caller.call(rpc, member.access_token, named(rpc))
        assert found.code == CODES.NOT_FOUND, rpc.path
        foreign = named(rpc, everybody.foreign.enterprise_id)
        assert caller.call(rpc, member.access_token, foreign) == found, rpc.path


def test_staff_reach_what_their_right_is_for_and_what_every_member_does(
    suite: Suite, caller: Caller, everybody: People
) -> None:
    for right, person in staff(suite).items():
        for rpc in sorted(GUARDED, key=ends_the_caller):
            admitted = rpc.rule.member or 0 < rpc.rule.staff <= right
            if admitted or not rpc.rule.enterprise.ByteSize():
                fields = rpc.harmless()
                decide(caller.call(rpc, person.access_token, fields), admitted=admitted, about=rpc.path)
                continue
            # An enterprise is nothing to staff, unless the rule says so: neither a foreign nor a missing one.
            found = caller.call(rpc, person.access_token, named(rpc))
            assert found.code == CODES.NOT_FOUND, (rpc.path, found)
            own = named(rpc, everybody.world.enterprise_id)
            assert caller.call(rpc, person.access_token, own) == found, rpc.path


def test_an_expired_credential_opens_nothing_though_its_twin_that_has_not_expired_does(
    suite: Suite, caller: Caller, everybody: People
) -> None:
    world = everybody.world
    for token in (world.owner.access_token, everybody.credential):
        fresh, expired = suite.module("tests.e2e.signing", token).split()
        for rpc in GUARDED:
            fields = named(rpc, world.enterprise_id)
            if not ends_the_caller(rpc):
                assert caller.call(rpc, fresh, fields).code != CODES.UNAUTHENTICATED, rpc.path
            found = caller.call(rpc, expired, fields)
            assert found.code == CODES.UNAUTHENTICATED, (rpc.path, found)


@pytest.mark.parametrize("rpc", EMPLOYEES, ids=lambda rpc: rpc.path)
def test_employees_pass_by_their_title_or_by_their_role_in_the_team_or_above(
    rpc: Rpc, caller: Caller, everybody: People
) -> None:
    wanted, world = rpc.rule.enterprise, everybody.world
    passed = []
    for person, title, roles in everybody.employees():
        for team_id in ("", *(world.team_names if wanted.team_field else ())):
            role = max((roles.get(each, 0) for each in line(world, team_id)), default=0)
            # Nobody here has a duty: a rule that names one is passed by the title alone.
            admitted = 0 < wanted.title <= title or 0 < wanted.role <= role
            found = caller.call(rpc, person.access_token, named(rpc, world.enterprise_id, team_id))
            decide(found, admitted=admitted, about=f"{person.name} {world.team_names.get(team_id)}")
            assert admitted or found.message == NO_TITLE
            passed.append(admitted)
    assert any(passed)


@pytest.mark.parametrize("rpc", EMPLOYEES, ids=lambda rpc: rpc.path)
def test_no_employee_tells_a_foreign_enterprise_or_team_from_a_missing_one(
    rpc: Rpc, caller: Caller, everybody: People
) -> None:
    own, foreign = everybody.world.enterprise_id, everybody.foreign
    for person, _, _ in everybody.employees():
        token = person.access_token
        found = caller.call(rpc, token, named(rpc, missing()))
        assert (found.code, found.reason) == (CODES.NOT_FOUND, "NOT_FOUND"), person.name
        assert caller.call(rpc, token, named(rpc, foreign.enterprise_id)) == found, person.name
        if rpc.rule.enterprise.team_field:
            found = caller.call(rpc, token, named(rpc, own, missing()))
            # A list of what is on a team that does not exist is empty.
            assert rpc.reads or found.code != CODES.OK
            assert caller.call(rpc, token, named(rpc, own, foreign.things["team_id"])) == found


@pytest.mark.parametrize("rpc", GUARDED, ids=lambda rpc: rpc.path)
def test_the_owner_does_not_tell_a_foreign_thing_from_a_missing_one(
    rpc: Rpc, caller: Caller, everybody: People
) -> None:
    world = everybody.world
    # What is good of its own lets the request be judged by the one thing in it that is not.
    good = rpc.plausible() | {
        "team_id": world.employees[2].team_id,
        "employee_id": world.employees[2].id,
    }
    if field := rpc.rule.enterprise.enterprise_field:
        good[field] = world.enterprise_id
    for name in rpc.things():
        found = caller.call(rpc, world.owner.access_token, good | {name: missing()})
        assert found.code != CODES.INVALID_ARGUMENT, (name, found)
        foreign = good | {name: everybody.foreign.things[name]}
        assert caller.call(rpc, world.owner.access_token, foreign) == found, name


def key_refusal(rpc: Rpc, scopes: tuple[str, ...]) -> str | None:
    """Answers why an API key of the owner is refused, or None for what it reaches."""
    if not rpc.rule.member and not rpc.rule.enterprise.ByteSize():
        return "NOT_ADMITTED"
    if rpc.rule.interactive:
        return "SIGN_IN_NEEDED"
    return None if ("read" if rpc.reads else "write") in scopes else "KEY_SCOPE_MISSING"


def ends_the_caller(rpc: Rpc) -> int:
    """Sorts those last that end the caller's own credential, signing out behind all; 0 for the rest."""
    ends = ("/EndLogins", "/SignOut")
    return next((place for place, end in enumerate(ends, 1) if rpc.path.endswith(end)), 0)


def let_in(found: Answer) -> bool:
    """Whether the caller was admitted; a thing that its own enterprise lacks names itself in the reason."""
    return found.code in ADMITTED or (found.code == CODES.NOT_FOUND and found.reason != "NOT_FOUND")


def decide(found: Answer, *, admitted: bool, about: str) -> None:
    """Asserts what the rule decides: the caller is admitted, or refused for what they are."""
    if admitted:
        assert let_in(found), (about, found)
    else:
        assert (found.code, found.reason) == (CODES.PERMISSION_DENIED, "NOT_ADMITTED"), (about, found)


def named(rpc: Rpc, enterprise_id: str | None = None, team_id: str = "") -> dict[str, str | int]:
    """The fields that the rule looks at; without an enterprise they name one that does not exist."""
    return rpc.named(enterprise_id or missing(), team_id)


def missing() -> str:
    """The id of nothing."""
    return str(uuid.uuid4())


def line(world: World, team_id: str) -> tuple[str, ...]:
    """The team and all above it."""
    return next((each.team_ids for each in world.employees if each.team_id == team_id), ())

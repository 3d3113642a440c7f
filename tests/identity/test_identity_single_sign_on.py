"""The single sign-on of enterprises: who keeps it, and whom it signs in."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from tests.identity import make
from tests.identity.federating import CODE, REFUSED, World, employ, outcome
from tests.identity.oidc_provider import CLIENT_SECRET
from tests.identity.service import Identity, MovableClock
from tests.identity.test_identity_policies import call, set_policy, switch
from tests.identity.test_identity_second_factor import enrol
from wrtn.access.v1.access_pb2 import Duty, Title
from wrtn.identity.v1 import (
    auth_pb2,
    federation_pb2,
    single_sign_on_pb2,
)


async def test_an_enterprises_provider_does_not_bring_anybody_past_their_second_factor(
    world: World, clock: MovableClock
) -> None:
    mine = await make.member(world.identity, f"mina@{world.domain}")
    enterprise_id, owner = await employ(world, world.domain)
    connection = await world.set_up(enterprise_id, owner, link_employees=True)
    account = await make.open_account(world.identity, mine.member_id, enterprise_id=enterprise_id)
    world.identity.titles[enterprise_id, account.id] = Title.TITLE_MEMBER
    app, _ = await enrol(world.identity, clock, mine)
    asked = (await world.sign_in("mina", mine.email, address=mine.email)).pair
    assert (asked.access_token, asked.refresh_token) == ("", "")
    request = auth_pb2.CompleteSignInRequest(challenge=asked.second_factor.challenge, totp_code=app.code())
    completed = await world.identity.auth.CompleteSignIn(request)
    assert (completed.member_id, completed.account_id) == (mine.member_id, account.id)
    query = (
        "SELECT methods, connection_id::text, connection_tenant_id::text FROM wrtn_logins"
        f" WHERE member_id = '{mine.member_id}' ORDER BY create_time DESC LIMIT 1"
    )
    assert await make.as_superuser(world.identity, query) == [
        (["FEDERATED", "TOTP"], connection.id, enterprise_id)
    ]
    # The code that the provider could not know opens the rest as well.
    personal = await make.refresh(world.identity, completed.refresh_token, mine.account_id)
    assert personal.account_id == mine.account_id


async def test_an_enterprise_signs_its_people_in_by_its_own_provider(world: World) -> None:
    enterprise_id, owner = await employ(world, world.domain)
    connection = await world.set_up(enterprise_id, owner)
    found = await world.identity.federation.DiscoverSignIn(
        federation_pb2.DiscoverSignInRequest(address=f"anybody@{world.domain}")
    )
    assert (found.single_sign_on, found.display_name) == (True, "Acme")
    # The provider of an enterprise need not say that it has verified an address of its own domain.
    new = await world.sign_in("mina", f"mina@{world.domain}", verified=None, address=f"x@{world.domain}")
    (login,) = await make.rows(
        world.identity, "SELECT methods, connection_id, connection_tenant_id FROM wrtn_logins", new.member_id
    )
    assert tuple(login) == (["FEDERATED"], UUID(connection.id), UUID(enterprise_id))
    (linked,) = await world.linked(new)
    assert (linked.provider_id, linked.enterprise_id) == ("", enterprise_id)


async def test_the_provider_of_an_enterprise_asserts_addresses_of_its_proven_domains_alone(
    world: World,
) -> None:
    victim = await make.member(world.identity)
    enterprise_id, owner = await employ(world, world.domain)
    await world.set_up(enterprise_id, owner, link_employees=True)
    world.enterprise.owns(f"weak.{world.domain}", enterprise_id, by_dns=False)
    for email in (victim.email, f"mina@weak.{world.domain}", "mina@nobody.example", ""):
        refused = await outcome(world.sign_in("mina", email, address=f"x@{world.domain}"))
        assert refused == (CODE.PERMISSION_DENIED, "ADDRESS_NOT_OF_ENTERPRISE")
    unknown = await outcome(world.begin(address=f"mina@weak.{world.domain}"))
    assert unknown == (CODE.NOT_FOUND, "SIGN_IN_PROVIDER_UNKNOWN")
    assert await world.linked(victim) == []
    # A domain that was lost has no say any more, also for who is linked.
    await world.sign_in("mina", f"mina@{world.domain}", address=f"x@{world.domain}")
    begun = await world.begin(address=f"x@{world.domain}")
    code, state = world.provider.authorize(begun.authorization_url, "mina", f"mina@{world.domain}")
    world.enterprise.domains.clear()
    assert (await outcome(world.complete(begun, code, state)))[1] == "ADDRESS_NOT_OF_ENTERPRISE"


async def test_a_subject_at_an_enterprises_provider_is_not_the_one_that_anybody_signs_in_by(
    world: World,
) -> None:
    mine = await make.member(world.identity)
    await world.link(mine, "mina", mine.email)
    enterprise_id, owner = await employ(world, world.domain)
    await world.set_up(enterprise_id, owner)
    # The same issuer and subject, but said through the client of the enterprise.
    other = await world.sign_in("mina", f"mina@{world.domain}", address=f"x@{world.domain}")
    assert other.member_id != mine.member_id


@pytest.mark.parametrize("link_employees", [True, False])
async def test_an_employee_is_linked_by_signing_in_if_the_enterprise_wants_it_so(
    world: World, link_employees: bool
) -> None:
    mine = await make.member(world.identity, f"mina@{world.domain}")
    enterprise_id, owner = await employ(world, world.domain)
    await world.set_up(enterprise_id, owner, link_employees=link_employees)
    needed = (CODE.PERMISSION_DENIED, "IDENTITY_LINK_NEEDED")
    # A member of the domain who does not work there has to say so themselves.
    assert await outcome(world.sign_in("mina", mine.email, address=mine.email)) == needed
    account = await make.open_account(world.identity, mine.member_id, enterprise_id=enterprise_id)
    world.identity.titles[enterprise_id, account.id] = Title.TITLE_MEMBER
    if not link_employees:
        assert await outcome(world.sign_in("mina", mine.email, address=mine.email)) == needed
        await world.link(mine, "mina", mine.email, address=mine.email)
    signed_in = await world.sign_in("mina", mine.email, address=mine.email)
    assert (signed_in.member_id, signed_in.account_id) == (mine.member_id, account.id)


async def test_discovery_tells_the_same_of_every_address_of_a_domain(world: World) -> None:
    enterprise_id, owner = await employ(world, world.domain)
    await world.set_up(enterprise_id, owner)
    await make.member(world.identity, f"known@{world.domain}")
    answers = [
        await world.identity.federation.DiscoverSignIn(federation_pb2.DiscoverSignInRequest(address=each))
        for each in (f"known@{world.domain}", f"unknown@{world.domain}", f"UNKNOWN@{world.domain.upper()}")
    ]
    assert all(each == answers[0] for each in answers)
    nobody = federation_pb2.DiscoverSignInRequest(address="known@elsewhere.example")
    found = await world.identity.federation.DiscoverSignIn(nobody)
    assert found == federation_pb2.DiscoverSignInResponse()


async def test_a_connection_is_kept_by_who_keeps_the_security_and_its_secret_is_never_answered(
    world: World,
) -> None:
    enterprise_id, owner = await employ(world, world.domain)
    acting = (enterprise_id, owner.account_id)
    world.identity.titles[acting] = Title.TITLE_MANAGER
    world.identity.running.runtime.access.clear()
    assert (await outcome(world.set_up(enterprise_id, owner)))[0] is CODE.PERMISSION_DENIED
    world.identity.duties[acting] = Duty.DUTY_SECURITY
    world.identity.running.runtime.access.clear()
    made = await world.set_up(enterprise_id, owner)
    request = single_sign_on_pb2.GetSingleSignOnRequest(enterprise_id=enterprise_id)
    got = await world.identity.single_sign_on.GetSingleSignOn(request, metadata=owner.metadata)
    assert got == made
    dump = str(await make.as_superuser(world.identity, "SELECT t::text FROM wrtn_single_sign_ons t"))
    assert CLIENT_SECRET not in dump
    # Without a secret the one there is stays, but it is not sent to another client or issuer.
    assert (await world.set_up(enterprise_id, owner, display_name="A", client_secret="")).id == made.id
    wrong = world.set_up(enterprise_id, owner, client_id="another", client_secret="")
    assert await outcome(wrong) == (CODE.INVALID_ARGUMENT, "CLIENT_SECRET_MISSING")


async def test_a_removed_connection_signs_nobody_in(world: World) -> None:
    enterprise_id, owner = await employ(world, world.domain)
    await world.set_up(enterprise_id, owner)
    begun = await world.begin(address=f"mina@{world.domain}")
    code, state = world.provider.authorize(begun.authorization_url, "mina", f"mina@{world.domain}")
    request = single_sign_on_pb2.DeleteSingleSignOnRequest(enterprise_id=enterprise_id)
    for _ in range(2):
        await world.identity.single_sign_on.DeleteSingleSignOn(request, metadata=owner.metadata)
    assert await outcome(world.complete(begun, code, state)) == REFUSED
    actions = [action for action, _ in await make.audited(world.identity, enterprise_id)]
    assert actions.count("single_sign_on.removed") == 1


async def test_an_issuer_that_is_no_provider_is_not_set(world: World) -> None:
    enterprise_id, owner = await employ(world, world.domain)
    for issuer in ("http://127.0.0.1:1", f"{world.provider.issuer}/another"):
        refused = await outcome(world.set_up(enterprise_id, owner, issuer=issuer))
        assert refused == (CODE.FAILED_PRECONDITION, "ISSUER_UNUSABLE")


async def test_the_provider_of_an_enterprise_is_never_looked_for_inside(identity: Identity) -> None:
    enterprise_id, owner = await make.owner(identity)
    inside = ("http://127.0.0.1:8080", *(f"https://{name}" for name in ("127.0.0.1", "[::1]", "localhost")))
    for issuer in (*inside, "https://169.254.169.254"):
        request = single_sign_on_pb2.SetSingleSignOnRequest(
            enterprise_id=enterprise_id, display_name="x", issuer=issuer, client_id="x", client_secret="x"
        )
        refused = await outcome(identity.single_sign_on.SetSingleSignOn(request, metadata=owner.metadata))
        assert refused == (CODE.INVALID_ARGUMENT, "ISSUER_REFUSED"), issuer


async def test_single_sign_on_satisfies_the_policy_that_asks_for_it_and_for_a_second_factor(
    world: World,
) -> None:
    enterprise_id, first = await employ(world, world.domain)
    await world.set_up(enterprise_id, first, link_employees=True)
    await world.link(first, "boss", f"boss@{world.domain}", address=f"boss@{world.domain}")
    owner = await world.sign_in("boss", f"boss@{world.domain}", address=f"boss@{world.domain}")
    assert owner.account_id == first.account_id
    mine = await make.member(world.identity, f"mina@{world.domain}")
    account = await make.open_account(world.identity, mine.member_id, enterprise_id=enterprise_id)
    world.identity.titles[enterprise_id, account.id] = Title.TITLE_MEMBER
    asked: dict[str, Any] = {"single_sign_on_required": True, "second_factor_required": True}
    # Who has not signed in so cannot ask others to.
    assert (await outcome(set_policy(world.identity, first, enterprise_id, **asked)))[
        1
    ] == "POLICY_LOCKS_OUT_AUTHOR"
    await set_policy(world.identity, owner, enterprise_id, **asked)
    refused = "SINGLE_SIGN_ON_REQUIRED"
    assert await switch(world.identity, mine.pair, account.id) == refused, "a password does not suffice"
    # The same person at a provider that anybody signs in by, with the same address.
    other = await world.sign_in("mina", mine.email)
    assert other.member_id == mine.member_id
    assert await switch(world.identity, other.pair, account.id) == refused
    signed_in = await world.sign_in("mina", mine.email, address=mine.email)
    assert (signed_in.member_id, signed_in.account_id) == (mine.member_id, account.id)
    assert await call(world.identity, signed_in.pair.access_token) == ""
    refreshed = await make.refresh(world.identity, signed_in.pair.refresh_token)
    assert await call(world.identity, refreshed.access_token) == "", "and so until the login ends"

"""Claiming domains, proving them, losing them."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import cast

import grpc
import pytest

from chassis import names
from chassis.testing.clocks import MovableClock
from services.enterprise.domains.proofs import Proofs
from services.enterprise.domains.rechecks import Rechecks
from services.enterprise.identity import Identity
from services.enterprise.settings import EnterpriseSettings
from tests.enterprise.make import Worker, World, refusal
from wrtn.access.v1.access_pb2 import TITLE_MANAGER, TITLE_MEMBER
from wrtn.enterprise.v1.domains_pb2 import (
    AddDomainRequest,
    Domain,
    GetDomainRequest,
    ListDomainsRequest,
    LookUpDomainRequest,
    RemoveDomainRequest,
    VerifyDomainRequest,
)

DNS, ADDRESS = Domain.PROOF_DNS, Domain.PROOF_ADDRESS


def acme(owner: Worker) -> str:
    """Answers a domain that only the owner's enterprise has to do with, and those that it competes with."""
    return f"{owner.enterprise_id}.example"


async def added(world: World, by: Worker, domain: str = "") -> Domain:
    request = AddDomainRequest(enterprise_id=by.enterprise_id, domain=domain or acme(by))
    return await world.domains.AddDomain(request, metadata=world.renewed(by).metadata)


async def verified(world: World, by: Worker, domain: Domain, proof: Domain.Proof.ValueType = DNS) -> Domain:
    request = VerifyDomainRequest(enterprise_id=by.enterprise_id, domain_id=domain.id, proof=proof)
    return await world.domains.VerifyDomain(request, metadata=world.renewed(by).metadata)


async def seen(world: World, by: Worker, domain: Domain) -> Domain:
    request = GetDomainRequest(enterprise_id=by.enterprise_id, domain_id=domain.id)
    return await world.domains.GetDomain(request, metadata=world.renewed(by).metadata)


async def holder(world: World, domain: str) -> str:
    found = await world.domains.LookUpDomain(LookUpDomainRequest(domain=domain), metadata=world.peer)
    return found.enterprise_id


async def proven(world: World, by: Worker, domain: str = "") -> Domain:
    claimed = await added(world, by, domain)
    world.dns.text(claimed.record_name, claimed.record_text)
    return await verified(world, by, claimed)


def rechecks(world: World) -> Rechecks:
    settings = cast("EnterpriseSettings", world.running.runtime.settings)
    identity = Identity(world.running.runtime.peers)
    proofs = Proofs(names.resolver(settings.dns_server), identity)
    runtime = world.running.runtime
    return Rechecks(runtime.db, proofs)


async def days_pass(world: World, days: int) -> None:
    """Lets days pass, with the daily look on each."""
    clock = cast("MovableClock", world.clock)
    for _ in range(days):
        clock.ahead += timedelta(days=1, minutes=1)
        await rechecks(world).run()


async def test_a_domain_is_proven_by_a_text_record(world: World) -> None:
    owner = await world.owner()
    claimed = await added(world, owner)
    assert (claimed.state, claimed.record_name) == (Domain.STATE_PENDING, f"_wrtn.{acme(owner)}")
    assert await holder(world, acme(owner)) == ""
    world.dns.text(claimed.record_name, "v=spf1 -all", claimed.record_text)
    found = await verified(world, owner, claimed)
    assert (found.state, found.proof) == (Domain.STATE_VERIFIED, DNS)
    assert found.HasField("verify_time")
    assert await holder(world, acme(owner)) == owner.enterprise_id
    assert (await world.subjects(owner))[-1] == "domain.verified"


async def test_the_record_may_stand_at_the_domain_itself(world: World) -> None:
    owner = await world.owner()
    claimed = await added(world, owner)
    world.dns.text(acme(owner), claimed.record_text)
    assert (await verified(world, owner, claimed)).state == Domain.STATE_VERIFIED


async def test_a_domain_without_its_record_is_not_proven(world: World) -> None:
    owner = await world.owner()
    claimed = await added(world, owner)
    world.dns.text(claimed.record_name, claimed.record_text + "x")
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await verified(world, owner, claimed)
    assert refusal(refused.value) == (grpc.StatusCode.FAILED_PRECONDITION, "DOMAIN_NOT_PROVEN")
    assert (await seen(world, owner, claimed)).state == Domain.STATE_PENDING


async def test_a_dns_that_fails_proves_nothing_and_says_so(world: World) -> None:
    owner = await world.owner()
    claimed = await added(world, owner)
    world.dns.broken = True
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await verified(world, owner, claimed)
    assert refusal(refused.value) == (grpc.StatusCode.UNAVAILABLE, "DNS_UNAVAILABLE")


async def test_what_is_no_domain_of_ones_own_is_refused(world: World) -> None:
    owner = await world.owner()
    for text in ("com", "co.uk", "github.io", "localhost", "127.0.0.1", "a b.example", "-a.example", "."):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await added(world, owner, text)
        assert refusal(refused.value) == (grpc.StatusCode.INVALID_ARGUMENT, "DOMAIN_INVALID"), text


async def test_a_domain_is_one_in_any_script_and_case(world: World) -> None:
    owner = await world.owner()
    found = await proven(world, owner, f"Bücher.{acme(owner).upper()}.")
    assert found.domain == f"xn--bcher-kva.{acme(owner)}"
    for text in (f"bücher.{acme(owner)}", f"XN--BCHER-KVA.{acme(owner)}"):
        assert await holder(world, text) == owner.enterprise_id
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await added(world, owner, text)
        assert refusal(refused.value) == (grpc.StatusCode.ALREADY_EXISTS, "DOMAIN_ADDED")


async def test_an_owner_proves_a_domain_by_their_verified_address(world: World) -> None:
    owner = await world.owner()
    claimed = await added(world, owner)
    world.identity.addresses[str(owner.person.member_id)] = [
        "ada@gmail.com",
        f"Ada@{acme(owner).upper()}",
    ]
    found = await verified(world, owner, claimed, ADDRESS)
    assert (found.state, found.proof) == (Domain.STATE_VERIFIED, ADDRESS)
    answer = await world.domains.LookUpDomain(LookUpDomainRequest(domain=acme(owner)), metadata=world.peer)
    assert (answer.enterprise_id, answer.proof) == (owner.enterprise_id, ADDRESS)


async def test_an_address_elsewhere_proves_nothing(world: World) -> None:
    owner = await world.owner()
    claimed = await added(world, owner)
    world.identity.addresses[str(owner.person.member_id)] = [
        f"ada@evil-{acme(owner)}",
        f"ada@x.{acme(owner)}",
    ]
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await verified(world, owner, claimed, ADDRESS)
    assert refusal(refused.value) == (grpc.StatusCode.FAILED_PRECONDITION, "DOMAIN_NOT_PROVEN")


async def test_an_address_where_anybody_gets_one_proves_nothing(world: World) -> None:
    owner = await world.owner()
    for domain in ("gmail.com", "yahoo.co.uk", "163.com", "proton.me"):
        claimed = await added(world, owner, domain)
        world.identity.addresses[str(owner.person.member_id)] = [f"ada@{domain}"]
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await verified(world, owner, claimed, ADDRESS)
        assert refusal(refused.value) == (grpc.StatusCode.FAILED_PRECONDITION, "DOMAIN_NOT_PROVEN"), domain


async def test_a_proven_domain_is_one_enterprises_alone(world: World) -> None:
    first, second = await world.owner(), await world.owner()
    await proven(world, first)
    rival = await added(world, second, acme(first))
    world.dns.text(rival.record_name, rival.record_text)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await verified(world, second, rival)
    assert refusal(refused.value) == (grpc.StatusCode.ALREADY_EXISTS, "DOMAIN_TAKEN")
    assert await holder(world, acme(first)) == first.enterprise_id


async def test_of_many_that_prove_a_domain_at_once_one_has_it(world: World) -> None:
    owners = [await world.owner() for _ in range(6)]
    claims = [await added(world, owner, acme(owners[0])) for owner in owners]
    world.dns.text(claims[0].record_name, *(claim.record_text for claim in claims))
    tries = (verified(world, owner, claim) for owner, claim in zip(owners, claims, strict=True))
    answers = await asyncio.gather(*tries, return_exceptions=True)
    won = [each for each in answers if isinstance(each, Domain)]
    lost = [each for each in answers if isinstance(each, grpc.aio.AioRpcError)]
    assert len(won) == 1
    assert [refusal(each)[1] for each in lost] == ["DOMAIN_TAKEN"] * 5
    assert await holder(world, acme(owners[0])) == won[0].enterprise_id
    told = [each for owner in owners for each in await world.subjects(owner)]
    assert told.count("domain.verified") == 1


async def test_a_proof_by_dns_takes_the_domain_from_one_by_address(world: World) -> None:
    squatter, rightful = await world.owner(), await world.owner()
    squatted = await added(world, squatter, acme(rightful))
    world.identity.addresses[str(squatter.person.member_id)] = [f"intern@{acme(rightful)}"]
    await verified(world, squatter, squatted, ADDRESS)
    await proven(world, rightful)
    assert await holder(world, acme(rightful)) == rightful.enterprise_id
    assert (await seen(world, squatter, squatted)).state == Domain.STATE_LOST
    assert (await world.subjects(squatter))[-1] == "domain.lost"
    assert (await world.subjects(rightful))[-1] == "domain.verified"
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await verified(world, squatter, squatted, ADDRESS)
    assert refusal(refused.value)[1] == "DOMAIN_TAKEN"


async def test_a_domain_is_lost_after_days_without_its_record(world: World) -> None:
    owner = await world.owner()
    claimed = await proven(world, owner)
    world.dns.records.clear()
    await days_pass(world, 1)
    assert (await seen(world, owner, claimed)).HasField("missing_time")
    await days_pass(world, 2)
    assert await holder(world, acme(owner)) == owner.enterprise_id
    await days_pass(world, 1)
    assert (await seen(world, owner, claimed)).state == Domain.STATE_LOST
    assert await holder(world, acme(owner)) == ""
    assert (await world.subjects(owner))[-1] == "domain.lost"
    (mail,) = await world.mailed(owner)
    assert mail.template == "domain_lost"
    assert mail.values["domain"] == acme(owner)
    world.dns.text(claimed.record_name, claimed.record_text)
    assert (await verified(world, owner, claimed)).state == Domain.STATE_VERIFIED


async def test_a_record_that_comes_back_is_as_if_it_had_never_been_gone(world: World) -> None:
    owner = await world.owner()
    claimed = await proven(world, owner)
    world.dns.records.clear()
    await days_pass(world, 2)
    world.dns.text(claimed.record_name, claimed.record_text)
    await days_pass(world, 1)
    assert not (await seen(world, owner, claimed)).HasField("missing_time")
    world.dns.records.clear()
    await days_pass(world, 2)
    assert await holder(world, acme(owner)) == owner.enterprise_id


async def test_an_outage_of_the_dns_is_held_against_no_domain(world: World) -> None:
    owner = await world.owner()
    claimed = await proven(world, owner)
    world.dns.broken = True
    await days_pass(world, 6)
    assert (await seen(world, owner, claimed)).state == Domain.STATE_VERIFIED
    assert not (await seen(world, owner, claimed)).HasField("missing_time")


async def test_a_domain_proven_by_an_address_is_lost_with_the_address(world: World) -> None:
    owner = await world.owner()
    claimed = await added(world, owner)
    world.identity.addresses[str(owner.person.member_id)] = [f"ada@{acme(owner)}"]
    await verified(world, owner, claimed, ADDRESS)
    await days_pass(world, 4)
    assert await holder(world, acme(owner)) == owner.enterprise_id
    world.identity.addresses.clear()
    await days_pass(world, 4)
    assert await holder(world, acme(owner)) == ""


async def test_a_removed_domain_is_free_for_another(world: World) -> None:
    first, second = await world.owner(), await world.owner()
    claimed = await proven(world, first)
    request = RemoveDomainRequest(enterprise_id=first.enterprise_id, domain_id=claimed.id)
    await world.domains.RemoveDomain(request, metadata=first.metadata)
    assert (await world.subjects(first))[-1] == "domain.removed"
    await proven(world, second, acme(first))
    assert await holder(world, acme(first)) == second.enterprise_id
    listed = await world.domains.ListDomains(
        ListDomainsRequest(enterprise_id=first.enterprise_id), metadata=first.metadata
    )
    assert not listed.domains


async def test_domains_are_the_owners_to_keep_and_the_managers_to_see(world: World) -> None:
    owner = await world.owner()
    manager, member = await world.hire(owner, TITLE_MANAGER), await world.hire(owner, TITLE_MEMBER)
    claimed = await added(world, owner)
    assert (await seen(world, manager, claimed)).id == claimed.id
    for act in (
        added(world, manager, acme(owner)),
        verified(world, manager, claimed),
        seen(world, member, claimed),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await act
        assert refusal(refused.value) == (grpc.StatusCode.PERMISSION_DENIED, "NOT_ADMITTED")


async def test_a_foreign_domain_is_not_found(world: World) -> None:
    first, second = await world.owner(), await world.owner()
    claimed = await added(world, first)
    for act in (seen(world, second, claimed), verified(world, second, claimed)):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await act
        assert refusal(refused.value) == (grpc.StatusCode.NOT_FOUND, "DOMAIN_NOT_FOUND")

"""What a provider asserts, and what comes back from it: forged, foreign, used and late is refused."""

from __future__ import annotations

import asyncio
import base64
import hmac
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from tests.identity import make
from tests.identity.federating import CODE, REFUSED, World, outcome
from tests.identity.oidc_provider import CLIENT_ID, Provider
from tests.identity.service import MovableClock


async def members(world: World) -> int:
    """Answers how many members there are."""
    ((count,),) = await make.as_superuser(world.identity, "SELECT count(*) FROM wrtn_members")
    return int(count)


async def test_an_address_that_the_provider_does_not_vouch_for_is_refused_and_changes_nothing(
    world: World,
) -> None:
    mine = await make.member(world.identity)
    before = await members(world)
    for verified in (False, None):
        for email in (mine.email, make.fresh_email(), ""):
            refused = await outcome(world.sign_in("thief", email, verified=verified))
            assert refused == (CODE.PERMISSION_DENIED, "ADDRESS_UNVERIFIED"), verified
    assert await world.linked(mine) == []
    assert await members(world) == before


def unsigned(claims: dict[str, Any]) -> str:
    """The algorithm none."""
    parts = (make.encoded({"alg": "none"}), make.encoded(claims), "")
    return ".".join(parts)


def confused(provider: Provider) -> Callable[[dict[str, Any]], str]:
    """HMAC keyed with the public key, which everybody knows."""
    public = provider.key.as_pem(private=False)

    def sign(claims: dict[str, Any]) -> str:
        body = f"{make.encoded({'alg': 'HS256', 'kid': provider.key.kid})}.{make.encoded(claims)}"
        mac = hmac.digest(public, body.encode(), "sha256")
        return f"{body}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"

    return sign


def foreign(provider: Provider) -> Callable[[dict[str, Any]], str]:
    """Another key under the provider's key id."""
    key = RSAKey.generate_key(2048)
    return lambda claims: jwt.encode({"alg": "RS256", "kid": provider.key.kid}, claims, key)


FORGED: dict[str, Any] = {
    "another issuer": {"iss": "https://accounts.google.com"},
    "no issuer": {"iss": None},
    "another audience": {"aud": "another client"},
    "no audience": {"aud": None},
    "made for others too": {"aud": [CLIENT_ID, "another client"]},
    "asked for by another": {"aud": [CLIENT_ID, "another client"], "azp": "another client"},
    "another nonce": {"nonce": "another"},
    "no nonce": {"nonce": None},
    "expired": {"exp": 1},
    "never expiring": {"exp": None},
    "no subject": {"sub": None},
    "a subject that is no text": {"sub": 7},
    "an endless subject": {"sub": "x" * 256},
}


async def test_a_forged_id_token_signs_nobody_in(world: World) -> None:
    email, provider, before = make.fresh_email(), world.provider, await members(world)
    for how, changes in FORGED.items():
        provider.changes = changes
        assert await outcome(world.sign_in("mina", email)) == REFUSED, how
    provider.changes = {}
    for sign in (unsigned, confused(provider), foreign(provider)):
        provider.signed = sign
        assert await outcome(world.sign_in("mina", email)) == REFUSED, sign
    assert await members(world) == before
    provider.signed = None
    assert (await world.sign_in("mina", email)).member_id


async def test_a_key_that_the_provider_has_changed_to_is_fetched(world_alone: World) -> None:
    await world_alone.sign_in("mina", make.fresh_email())
    world_alone.provider.key = RSAKey.generate_key(2048, {"kid": "two"})
    refused = await outcome(world_alone.sign_in("mina", ""))
    # Within the pause nobody is asked again, however many tokens name unknown keys.
    assert refused == REFUSED
    assert world_alone.provider.asked.count("/jwks") == 1


async def test_an_issuer_for_many_tenants_speaks_for_the_one_that_it_names(world_alone: World) -> None:
    world_alone.provider.configuration = {"issuer": f"{world_alone.provider.issuer}/{{tenantid}}/v2.0"}
    for tenant, expected in (("acme", (CODE.OK, "")), ("another", REFUSED), (None, REFUSED)):
        world_alone.provider.changes = {"iss": f"{world_alone.provider.issuer}/acme/v2.0", "tid": tenant}
        begun = await world_alone.begin("tenants")
        code, state = world_alone.provider.authorize(begun.authorization_url, "mina", make.fresh_email())
        assert await outcome(world_alone.complete(begun, code, state)) == expected, tenant


async def test_a_state_is_good_once_and_for_who_began_alone(world: World, clock: MovableClock) -> None:
    mine, thief = await world.begin(), await world.begin()
    code, state = world.provider.authorize(mine.authorization_url, "mina", make.fresh_email())
    # The thief has state and code, and not the binding: nothing is used up by that.
    assert await outcome(world.complete(thief, code, state)) == REFUSED
    assert await outcome(world.complete(mine, code, "another state")) == REFUSED
    assert (await world.complete(mine, code, state)).access_token
    assert await outcome(world.complete(mine, code, state)) == REFUSED
    late = await world.begin()
    code, state = world.provider.authorize(late.authorization_url, "mina", make.fresh_email())
    clock.ahead += timedelta(minutes=10, seconds=1)
    assert await outcome(world.complete(late, code, state)) == REFUSED


async def test_of_parallel_completions_one_succeeds(world: World) -> None:
    begun = await world.begin()
    code, state = world.provider.authorize(begun.authorization_url, "mina", make.fresh_email())
    ends = await asyncio.gather(*(outcome(world.complete(begun, code, state)) for _ in range(5)))
    assert sorted(each[1] for each in ends) == ["", *[REFUSED[1]] * 4]


async def test_a_code_of_another_flow_does_not_pass_since_its_verifier_differs(world: World) -> None:
    mine, thief = await world.begin(), await world.begin()
    stolen, _ = world.provider.authorize(mine.authorization_url, "mina", make.fresh_email())
    _, state = world.provider.authorize(thief.authorization_url, "thief", make.fresh_email())
    assert await outcome(world.complete(thief, stolen, state)) == REFUSED


async def test_a_code_that_was_used_is_refused(world: World) -> None:
    first = await world.begin()
    code, state = world.provider.authorize(first.authorization_url, "mina", make.fresh_email())
    await world.complete(first, code, state)
    second = await world.begin()
    _, other = world.provider.authorize(second.authorization_url, "mina", make.fresh_email())
    assert await outcome(world.complete(second, code, other)) == REFUSED


async def test_nothing_of_a_flow_that_is_kept_completes_it(world: World) -> None:
    begun = await world.begin()
    query = parse_qs(urlsplit(begun.authorization_url).query)
    kept = str(await make.as_superuser(world.identity, "SELECT f::text FROM wrtn_federated_flows f"))
    assert "test" in kept
    for secret in (begun.binding, query["state"][0], query["nonce"][0]):
        assert secret not in kept


@pytest.mark.parametrize(
    "change", [{"issuer": "https://accounts.google.com"}, {"jwks_uri": 7}, {"x": "y" * 300_000}]
)
async def test_a_provider_that_answers_otherwise_than_it_should_is_unavailable(
    world_alone: World, change: dict[str, Any]
) -> None:
    # One a world_alone: what a provider says of itself is remembered for a while, mistakes too.
    world_alone.provider.configuration = change
    begun = outcome(world_alone.sign_in("mina", make.fresh_email()))
    assert await begun == (CODE.UNAVAILABLE, "SIGN_IN_PROVIDER_UNAVAILABLE")

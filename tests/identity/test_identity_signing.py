"""The keys that sign access tokens."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from joserfc.jwk import OKPKey

from chassis.auth import keys as jwks
from chassis.auth import tokens
from chassis.auth.tokens import AccessToken
from chassis.clock import Clock
from chassis.crypto import Keyring
from chassis.embedded.nats import Nats
from chassis.embedded.postgres import Postgres
from chassis.testing.callers import Callers
from chassis.testing.databases import DatabaseFactory
from services.identity.credentials.signing import OVERLAP, Key, Signer, good, signing
from tests.identity import make, service
from tests.identity.service import Identity, MovableClock
from tests.identity.smtp_server import Mailbox

START = datetime(2026, 1, 1, tzinfo=UTC)
MEMBER = AccessToken(*(Clock().new_id() for _ in range(3)))


def key(generation: int, minutes: int) -> Key:
    """Makes a key that is active so many minutes after the start."""
    activate_time = START + timedelta(minutes=minutes)
    return Key(generation, f"kid-{generation}", activate_time, OKPKey.generate_key("Ed25519"))


@pytest.mark.parametrize(
    ("minutes", "signs", "published"),
    [
        (0, 1, [1, 2]),  # the second is published before it signs
        (59, 1, [1, 2]),
        (60, 2, [2, 1]),
        (79, 2, [2, 1]),  # the first one's last token has expired, with some minutes to spare
        (80, 2, [2]),
    ],
)
def test_a_key_is_published_before_it_signs_and_as_long_as_its_tokens_live(
    minutes: int, signs: int, published: list[int]
) -> None:
    keys, now = [key(1, 0), key(2, 60)], START + timedelta(minutes=minutes)
    assert signing(keys, now).generation == signs
    assert [each.generation for each in good(keys, now)] == published


async def test_tokens_name_what_the_other_services_verify(identity: Identity, clock: MovableClock) -> None:
    signed_in = await make.member(identity)
    header = tokens.header_of(signed_in.pair.access_token)
    found = jwks.parsed(await make.key_set(identity))
    verified = tokens.verify(signed_in.pair.access_token, found[str(header["kid"])], clock)
    claims = tokens.checked(
        signed_in.pair.access_token,
        found[str(header["kid"])],
        clock,
        kind="at+jwt",
        issuer="wrtn.identity",
        audience="wrtn",
    )
    assert (header["typ"], header["alg"]) == ("at+jwt", "EdDSA")
    assert str(verified.token.member_id) == signed_in.member_id
    assert (claims["kind"], claims["account"]) == ("member", signed_in.account_id)


async def test_ten_replicas_that_start_at_once_make_one_key(
    database: DatabaseFactory, clock: MovableClock, keyring_file: Path
) -> None:
    made = await database("identity", pool_size=20)
    signers = [Signer(made.app, Keyring.from_file(keyring_file), clock) for _ in range(10)]
    sets = await asyncio.gather(*(each.jwks() for each in signers))
    assert len({each.keys[0].kid for each in sets}) == 1
    assert all(len(each.keys) == 1 for each in sets)


async def test_ten_rotations_at_once_are_one(
    database: DatabaseFactory, clock: MovableClock, keyring_file: Path
) -> None:
    made = await database("identity", pool_size=20)
    keyring = Keyring.from_file(keyring_file)
    first = Signer(made.app, keyring, clock)
    await first.jwks()
    await asyncio.gather(*(Signer(made.app, keyring, clock).rotate() for _ in range(10)))
    assert len((await Signer(made.app, keyring, clock).jwks()).keys) == 2


async def test_tokens_stay_good_through_a_rotation(
    database: DatabaseFactory, clock: MovableClock, keyring_file: Path
) -> None:
    made = await database("identity")
    signer = Signer(made.app, Keyring.from_file(keyring_file), clock)
    old, _ = await signer.issue(MEMBER)
    await signer.rotate()
    same, _ = await signer.issue(MEMBER)
    clock.ahead += OVERLAP
    new, _ = await signer.issue(MEMBER)
    found = jwks.parsed(await signer.jwks())
    kids = [str(tokens.header_of(each)["kid"]) for each in (old, same, new)]
    assert kids[0] == kids[1] != kids[2]
    for text, kid in zip((old, same, new), kids, strict=True):
        assert tokens.verify(text, found[kid], clock).token == MEMBER


async def test_the_private_key_is_not_readable_in_the_table(identity: Identity, clock: MovableClock) -> None:
    await make.member(identity)
    signer = Signer(identity.running.runtime.db, identity.running.runtime.keyring, clock)
    await signer.issue(MEMBER)
    (kept,) = (signing(signer._keys, clock.now()),)
    secret = str(kept.pair.as_dict(private=True)["d"])
    ((row,),) = await make.as_superuser(identity, "SELECT private_key FROM wrtn_signing_keys")
    assert secret.encode() not in bytes(row)


async def test_keys_are_seen_by_no_scope_of_a_caller(identity: Identity) -> None:
    signed_in = await make.member(identity)
    found = await make.rows(
        identity, "SELECT kid FROM wrtn_signing_keys", signed_in.member_id, tenants=(signed_in.account_id,)
    )
    assert found == []


async def test_a_restarted_service_keeps_its_keys_and_logins(
    database: DatabaseFactory,
    nats: Nats,
    mailbox: Mailbox,
    callers: Callers,
    postgres: Postgres,
    tmp_path: Path,
) -> None:
    made = await database("identity")
    chosen, admin_url = service.settings(made, nats, mailbox, callers, tmp_path), postgres.url(made.name)
    async with service.serving(chosen, made, mailbox, callers, admin_url) as identity:
        signed_in = await make.member(identity)
        before = await make.jwks(identity)
    async with service.serving(chosen, made, mailbox, callers, admin_url) as identity:
        assert await make.jwks(identity) == before
        assert (await make.refresh(identity, signed_in.pair.refresh_token)).member_id == signed_in.member_id

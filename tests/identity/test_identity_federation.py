"""Signing in by an OpenID provider: whom it signs in, and by which second step."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pyotp
import pytest

from chassis.settings import SettingsError
from chassis.testing.waiting import until
from services.identity.federation.oidc import providers
from tests.identity import make, service
from tests.identity.federating import CODE, REFUSED, World, employ, outcome, profile
from tests.identity.make import SignedIn
from tests.identity.service import MovableClock
from wrtn.identity.v1 import (
    auth_pb2,
    members_pb2,
    second_factors_pb2,
)


async def test_an_address_that_nobody_has_makes_a_new_active_member_with_a_personal_account(
    world: World,
) -> None:
    email = make.fresh_email()
    signed_in = await world.sign_in("mina", email)
    member = await profile(world, signed_in)
    assert member.state == members_pb2.Member.STATE_ACTIVE
    assert [(each.address, each.primary, each.HasField("verify_time")) for each in member.emails] == [
        (email, True, True)
    ]
    (opened,) = await make.published(world.identity, "account.opened", signed_in.member_id)
    assert (opened.account_id, opened.holder_member_id) == (signed_in.account_id, member.id)
    (login,) = await make.rows(world.identity, "SELECT methods FROM wrtn_logins", member.id)
    assert login.methods == ["FEDERATED"]
    # There is no password, so none is right: also not the one that is verified against for nobody.
    for password in ("", "nobody", "seven purple giraffes"):
        request = auth_pb2.SignInRequest(email=email, password=password or " ")
        assert (await outcome(world.identity.auth.SignIn(request)))[1] == "SIGN_IN_REFUSED"


async def test_who_has_verified_the_address_is_signed_in_and_linked_and_known_by_the_identity_from_then_on(
    world: World,
) -> None:
    mine = await make.member(world.identity)
    first = await world.sign_in("mina", mine.email)
    # By now the provider knows another address, which is nobody's business.
    again = await world.sign_in("mina", make.fresh_email(), verified=False)
    assert first.member_id == again.member_id == mine.member_id
    (linked,) = await world.linked(mine)
    assert (linked.provider_id, linked.email) == ("test", mine.email)
    acts = [action for action, _ in await make.audited(world.identity, mine.member_id)]
    assert acts.count("identity.linked") == 1


async def test_an_unknown_provider_or_redirect_uri_is_refused(world: World) -> None:
    assert await outcome(world.begin("nobody")) == (CODE.NOT_FOUND, "SIGN_IN_PROVIDER_UNKNOWN")
    refused = await outcome(world.begin(uri="https://evil.example/callback"))
    assert refused == (CODE.INVALID_ARGUMENT, "REDIRECT_URI_UNKNOWN")
    assert (await world.begin(uri=f"{service.PUBLIC_URL}/sign-in/callback")).authorization_url


async def test_who_has_an_app_is_asked_for_its_code_after_another_provider_too(
    world: World, clock: MovableClock
) -> None:
    mine = await make.member(world.identity)
    await world.link(mine, "mina", mine.email)
    begun = await world.identity.factors.EnrolTotp(
        second_factors_pb2.EnrolTotpRequest(), metadata=mine.metadata
    )
    app = pyotp.TOTP(parse_qs(urlsplit(begun.uri).query)["secret"][0])
    await world.identity.factors.ConfirmTotp(
        second_factors_pb2.ConfirmTotpRequest(code=app.at(clock.now())), metadata=mine.metadata
    )
    clock.ahead += timedelta(seconds=30)
    asked = (await world.sign_in("mina", mine.email)).pair
    assert (asked.access_token, asked.refresh_token) == ("", "")
    request = auth_pb2.CompleteSignInRequest(
        challenge=asked.second_factor.challenge, totp_code=app.at(clock.now())
    )
    completed = await world.identity.auth.CompleteSignIn(request)
    assert completed.member_id == mine.member_id
    query = f"SELECT methods FROM wrtn_logins WHERE member_id = '{mine.member_id}' ORDER BY create_time DESC"
    methods, *_ = await make.as_superuser(world.identity, query)
    assert methods == (["FEDERATED", "TOTP"],)


async def test_a_suspended_member_does_not_come_in_by_another_door(world: World) -> None:
    mine = await make.member(world.identity)
    await world.link(mine, "mina", mine.email)
    suspended = f"UPDATE wrtn_members SET state = 'SUSPENDED' WHERE id = '{mine.member_id}'"
    await make.as_superuser(world.identity, suspended)
    assert (await outcome(world.sign_in("mina", mine.email)))[1] == "MEMBER_SUSPENDED"


async def test_subjects_and_addresses_are_not_readable_in_the_tables(world: World) -> None:
    email = f"mina@{world.domain}"
    await world.sign_in("subject-of-mina", email)
    for table in ("federated_identities", "federated_subjects"):
        dump = str(await make.as_superuser(world.identity, f"SELECT t::text FROM wrtn_{table} t"))
        for secret in ("subject-of-mina", email):
            assert secret not in dump
            assert secret.encode().hex() not in dump


def test_providers_have_presets_and_every_mistake_is_named_without_the_secret(tmp_path: Path) -> None:
    file = tmp_path / "providers.toml"
    file.write_text(
        '[google]\nclient_id = "a"\nclient_secret = "b"\n[microsoft]\nclient_id = "a"\nclient_secret = "b"\n'
    )
    read = providers.read(file, "https://chat.example.com/")
    assert read.by_id["google"].issuer == "https://accounts.google.com"
    assert read.by_id["microsoft"].issuer == "https://login.microsoftonline.com/common/v2.0"
    assert read.redirect_uris == ("https://chat.example.com/sign-in/callback",)
    assert "b'" not in repr(read)
    for wrong in (
        "[own]\nclient_id = 'a'\nclient_secret = 'canary'",
        "[own]\nissuer = 'http://id.example.com'\nclient_id = 'a'\nclient_secret = 'canary'",
        "[google]\nclient_secret = 'canary'",
        "[google]\nclient_id = 'a'\nclient_secret = 'canary'\nscope = 'x'",
        "canary",
    ):
        file.write_text(wrong)
        with pytest.raises(SettingsError, match="WRTN_OIDC_PROVIDERS_FILE") as refused:
            providers.read(file, None)
        assert "canary" not in str(refused.value)


@pytest.fixture
def mock() -> Iterator[str]:
    """A provider that we have not written, as a process of its own; answers its issuer."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    command = [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--port", port]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait(10)


async def test_an_independent_provider_signs_members_in(world: World, mock: str) -> None:
    email = make.fresh_email(world.domain)
    enterprise_id, owner = await employ(world, world.domain)
    async with httpx.AsyncClient() as browser:
        await until(lambda: _answers(browser, mock))
        await browser.put(f"{mock}/users/mina", json={"email": email, "email_verified": True, "name": "Mina"})
        await world.set_up(enterprise_id, owner, issuer=mock)
        begun = await world.begin(address=email)
        back = await browser.post(begun.authorization_url, data={"sub": "mina"})
    query = parse_qs(urlsplit(back.headers["location"]).query)
    pair = await world.complete(begun, query["code"][0], query["state"][0])
    member = await profile(world, SignedIn(email, pair))
    assert member.display_name == "Mina"
    assert await outcome(world.complete(begun, query["code"][0], query["state"][0])) == REFUSED


async def _answers(browser: httpx.AsyncClient, issuer: str) -> bool:
    try:
        return (await browser.get(f"{issuer}/.well-known/openid-configuration")).status_code == 200
    except httpx.TransportError:
        return False

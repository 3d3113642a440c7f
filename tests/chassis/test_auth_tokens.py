"""Forged, stale and misused tokens are refused alike; good ones are verified without asking anybody twice."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
from joserfc.jwk import OKPKey

from chassis.auth import tokens
from chassis.auth.keys import SigningKeys, parsed, published
from chassis.auth.peers import PeerSigner, PeerVerifier
from chassis.auth.tokens import AccessToken, TokenRefused
from chassis.clock import Clock
from chassis.errors import Unavailable
from chassis.settings import SettingsError
from chassis.testing.callers import KID, Callers, Known
from tests.chassis.playing import Served, pb, served
from wrtn.identity.v1.auth_pb2 import Jwks


@pytest_asyncio.fixture
async def service(callers: Callers) -> AsyncIterator[Served]:
    """The sample service."""
    async with served(callers) as running:
        yield running


class HeldClock(Clock):
    """A clock that stands at a moment until it is moved."""

    def __init__(self, moment: datetime | None = None) -> None:
        super().__init__()
        self.moment = moment or datetime.now(UTC)

    def now(self) -> datetime:
        """Answers the moment."""
        return self.moment


def part(value: dict[str, Any]) -> str:
    """Encodes a part of a token."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def claims(known: Known, **changes: Any) -> dict[str, Any]:
    """The claims of a good token, with changes."""
    now = int(datetime.now(UTC).timestamp())
    good = known.token.claims() | {"iss": tokens.ISSUER, "aud": tokens.AUDIENCE, "iat": now, "exp": now + 60}
    return {key: value for key, value in (good | changes).items() if value is not None}


def signed(callers: Callers, known: Known, *, typ: str = tokens.TYPE, kid: Any = KID, **changes: Any) -> str:
    """Signs changed claims with identity's true key."""
    return tokens.sign({"typ": typ, "kid": kid}, claims(known, **changes), callers.key)


def unsigned(callers: Callers, known: Known) -> str:
    """The algorithm none."""
    return f"{part({'alg': 'none', 'typ': tokens.TYPE, 'kid': KID})}.{part(claims(known))}."


def confused(callers: Callers, known: Known) -> str:
    """HMAC keyed with the public key, which everybody knows."""
    public = callers.key.as_pem(private=False)
    body = f"{part({'alg': 'HS256', 'typ': tokens.TYPE, 'kid': KID})}.{part(claims(known))}"
    mac = base64.urlsafe_b64encode(hmac.digest(public, body.encode(), "sha256")).rstrip(b"=").decode()
    return f"{body}.{mac}"


def forged(callers: Callers, known: Known) -> str:
    """Another key under identity's key id."""
    return tokens.sign({"typ": tokens.TYPE, "kid": KID}, claims(known), OKPKey.generate_key("Ed25519"))


def changed(callers: Callers, known: Known) -> str:
    """A good token whose subject was swapped after signing."""
    head, _, signature = known.bearer.split(".")
    return f"{head}.{part(claims(known, sub=str(callers.clock.new_id())))}.{signature}"


BAD: dict[str, Callable[[Callers, Known], str]] = {
    "no token": lambda _c, _k: "",
    "garbage": lambda _c, _k: "garbage",
    "an opaque refresh token": lambda c, _k: c.clock.secret(),
    "three empty parts": lambda _c, _k: "..",
    "a header that is no object": lambda _c, _k: f"{part([])}.e30.x",  # type: ignore[arg-type]
    "no algorithm": unsigned,
    "HMAC by the public key": confused,
    "a forged signature": forged,
    "changed claims": changed,
    "expired": lambda c, k: signed(c, k, exp=1),
    "never expiring": lambda c, k: signed(c, k, exp=None),
    "another issuer": lambda c, k: signed(c, k, iss="elsewhere"),
    "no issuer": lambda c, k: signed(c, k, iss=None),
    "another audience": lambda c, k: signed(c, k, aud="elsewhere"),
    "no audience": lambda c, k: signed(c, k, aud=None),
    "an unknown key": lambda c, k: signed(c, k, kid="foreign"),
    "a refresh token that is a JWT": lambda c, k: signed(c, k, typ="rt+jwt"),
    "a plain JWT": lambda c, k: signed(c, k, typ="JWT"),
    "an access token called a peer token": lambda c, k: signed(c, k, typ="peer+jwt", kid="identity"),
    "a kind that does not exist": lambda c, k: signed(c, k, kind="root"),
    "a subject that is no id": lambda c, k: signed(c, k, sub="me"),
    "an account that is no id": lambda c, k: signed(c, k, account=7),
    "endless": lambda c, k: signed(c, k, more="x" * 5000),
}


@pytest.mark.parametrize("make", BAD.values(), ids=BAD.keys())
async def test_a_bad_token_is_unauthenticated_on_every_method(
    make: Callable[[Callers, Known], str], service: Served, callers: Callers
) -> None:
    metadata = (("authorization", f"Bearer {make(callers, callers.member())}"),)
    for method in (service.stub.Echo, service.stub.Anyone, service.stub.Internal):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await method(pb.Text(text="hello"), metadata=metadata)
        assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert service.sample.calls == []


async def test_another_scheme_than_bearer_is_unauthenticated(service: Served, callers: Callers) -> None:
    metadata = (("authorization", f"Basic {callers.member().bearer}"),)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await service.stub.Echo(pb.Text(), metadata=metadata)
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_a_good_token_is_verified_once(service: Served, callers: Callers) -> None:
    member = callers.member()
    for _ in range(3):
        await service.stub.Echo(pb.Text(text="hello"), metadata=member.metadata)
    assert callers.asked == ["jwks", "principal"]


async def test_a_remembered_token_still_expires(clock: Clock, peer_keys: Path) -> None:
    held = HeldClock()
    callers = Callers(held, peer_keys)
    async with served(callers) as service:
        member = callers.member()
        await service.stub.Echo(pb.Text(text="hello"), metadata=member.metadata)
        held.moment += tokens.LIFETIME + timedelta(seconds=30)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await service.stub.Echo(pb.Text(text="hello"), metadata=member.metadata)
        assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_a_credential_and_a_peer_are_known(service: Served, callers: Callers) -> None:
    await service.stub.Record(pb.Text(), metadata=callers.credential("sessions.record").metadata)
    await service.stub.Internal(pb.Text(), metadata=callers.peer("billing", "sample"))
    credential, peer = (call.caller for call in service.sample.calls)
    assert credential.scopes == {"sessions.record"}
    assert credential.scope.tenants == frozenset()
    assert peer.peer == "billing"
    assert peer.key == "billing"


async def test_a_peer_token_for_another_service_is_refused(service: Served, callers: Callers) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await service.stub.Internal(pb.Text(), metadata=callers.peer("billing", "identity"))
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


def test_a_peer_cannot_speak_for_another(peer_keys: Path, clock: Clock) -> None:
    liar = PeerSigner("identity", peer_keys.parent / "billing.private.pem", clock)
    with pytest.raises(TokenRefused):
        PeerVerifier("sample", peer_keys, clock).verify(liar.token("sample"), "identity")


@pytest.mark.parametrize("name", ["../billing.private", "nobody", "", None, 7, "Billing"])
def test_a_peer_key_is_only_looked_for_under_a_plain_name(
    name: object, peer_keys: Path, clock: Clock
) -> None:
    token = PeerSigner("billing", peer_keys.parent / "billing.private.pem", clock).token("sample")
    with pytest.raises(TokenRefused):
        PeerVerifier("sample", peer_keys, clock).verify(token, name)


def peer_token(peer_keys: Path, name: str, **changes: Any) -> str:
    """A token by billing's true key, under another name or with changed claims."""
    key = OKPKey.import_key((peer_keys.parent / "billing.private.pem").read_bytes())
    good = {"iss": name, "aud": "sample", "exp": int(datetime.now(UTC).timestamp()) + 60}
    found = {claim: value for claim, value in (good | changes).items() if value is not None}
    return tokens.sign({"typ": "peer+jwt", "kid": name}, found, key)


def test_a_peer_cannot_make_itself_a_name_from_a_path(peer_keys: Path, clock: Clock) -> None:
    verifier = PeerVerifier("sample", peer_keys, clock)
    assert verifier.verify(peer_token(peer_keys, "billing"), "billing")
    for name in ("../billing.private", "./billing"):
        with pytest.raises(TokenRefused):
            verifier.verify(peer_token(peer_keys, name), name)


@pytest.mark.parametrize("change", [{"exp": None}, {"exp": "soon"}, {"iss": None}, {"aud": None}])
def test_a_peer_token_without_what_binds_it_is_refused(
    change: dict[str, Any], peer_keys: Path, clock: Clock
) -> None:
    with pytest.raises(TokenRefused):
        PeerVerifier("sample", peer_keys, clock).verify(peer_token(peer_keys, "billing", **change), "billing")


def test_a_peer_signs_anew_when_its_clock_was_set(peer_keys: Path) -> None:
    held = HeldClock()
    signer = PeerSigner("billing", peer_keys.parent / "billing.private.pem", held)
    verifier = PeerVerifier("sample", peer_keys, held)
    first = signer.token("sample")
    held.moment += timedelta(seconds=19)
    assert signer.token("sample") == first
    for moved in (timedelta(days=7), timedelta(days=-1)):
        held.moment += moved
        assert verifier.verify(signer.token("sample"), "billing")[0] == "billing"
    assert signer.token("sample") != first


def test_a_peer_token_ends_after_a_minute(peer_keys: Path) -> None:
    held = HeldClock()
    token = PeerSigner("billing", peer_keys.parent / "billing.private.pem", held).token("sample")
    verifier = PeerVerifier("sample", peer_keys, held)
    assert verifier.verify(token, "billing")[0] == "billing"
    held.moment += timedelta(seconds=70)
    with pytest.raises(TokenRefused):
        verifier.verify(token, "billing")


def test_an_unreadable_peer_key_names_the_setting(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "key.pem").write_text("nonsense")
    with pytest.raises(SettingsError, match="WRTN_PEER_KEY_FILE"):
        PeerSigner("billing", tmp_path / "key.pem", clock)


class Jwkses:
    """A source of keys that can be changed, and fail."""

    def __init__(self, *kids: str) -> None:
        self.keys = {kid: OKPKey.generate_key("Ed25519") for kid in kids}
        self.asked = 0
        self.down = False

    async def __call__(self) -> Jwks:
        """Answers the keys."""
        self.asked += 1
        if self.down:
            raise Unavailable("down")
        return published(self.keys)


async def test_a_new_key_is_found_when_a_token_names_it() -> None:
    source = Jwkses("old")
    keys = SigningKeys(source, pause=0)
    await keys.key("old")
    source.keys["new"] = OKPKey.generate_key("Ed25519")
    await keys.key("old")
    assert source.asked == 1
    assert (await keys.key("new")).as_dict(private=False) == source.keys["new"].as_dict(private=False)


async def test_unknown_keys_do_not_make_identity_be_asked_again_and_again() -> None:
    source = Jwkses("old")
    keys = SigningKeys(source, pause=60)
    for _ in range(5):
        with pytest.raises(TokenRefused):
            await keys.key("unknown")
    assert source.asked == 1


async def test_a_withdrawn_key_ends() -> None:
    source = Jwkses("old", "leaked")
    keys = SigningKeys(source, pause=0, age=0)
    await keys.key("leaked")
    del source.keys["leaked"]
    with pytest.raises(TokenRefused):
        await keys.key("leaked")


async def test_without_identity_known_keys_stay_good_and_no_keys_mean_unavailable() -> None:
    source = Jwkses("old")
    keys = SigningKeys(source, pause=0, age=0)
    source.down = True
    with pytest.raises(Unavailable):
        await keys.key("old")
    source.down = False
    await keys.key("old")
    source.down = True
    await keys.key("old")


def test_only_ed25519_keys_verify() -> None:
    jwks = published({"good": OKPKey.generate_key("Ed25519")})
    jwks.keys.add(kty="OKP", crv="X25519", x=jwks.keys[0].x, kid="other")
    jwks.keys.add(kty="oct", x=jwks.keys[0].x, kid="shared")
    jwks.keys.add(kty="OKP", crv="Ed25519", x="!", kid="broken")
    assert set(parsed(jwks)) == {"good"}


def test_a_token_says_what_it_was_made_of(clock: Clock) -> None:
    key = OKPKey.generate_key("Ed25519")
    for token in (
        AccessToken(clock.new_id(), clock.new_id(), clock.new_id()),
        AccessToken(credential_id=clock.new_id()),
    ):
        verified = tokens.verify(tokens.issue(token, key, KID, clock), key, clock)
        assert verified.token == token
        assert verified.expires - clock.now().timestamp() == pytest.approx(900, abs=2)

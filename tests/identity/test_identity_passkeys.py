"""Passkeys: registering, signing in, and every answer of an authenticator that proves nothing."""

from __future__ import annotations

import asyncio
import math
from datetime import timedelta
from pathlib import Path

import grpc
import pytest
from google.protobuf.struct_pb2 import Struct

from chassis.clock import Clock
from chassis.settings import SettingsError
from services.identity.settings import IdentitySettings
from tests.identity import make, service
from tests.identity.authenticator import Authenticator
from tests.identity.make import SignedIn
from tests.identity.service import Identity, MovableClock
from tests.identity.test_identity_second_factor import LATER, challenged, enrol
from wrtn.identity.v1 import auth_pb2, logins_pb2, passkeys_pb2
from wrtn.identity.v1.second_factors_pb2 import Proof


async def begin(identity: Identity, signed_in: SignedIn, proof: Proof | None = None) -> Struct:
    """Begins to register a passkey."""
    answer = await identity.passkeys.BeginPasskeyRegistration(
        passkeys_pb2.BeginPasskeyRegistrationRequest(proof=proof), metadata=signed_in.metadata
    )
    return answer.public_key


async def add(
    identity: Identity, signed_in: SignedIn, credential: Struct, name: str = "Laptop"
) -> passkeys_pb2.Passkey:
    """Adds a passkey."""
    request = passkeys_pb2.CreatePasskeyRequest(credential=credential, display_name=name)
    return await identity.passkeys.CreatePasskey(request, metadata=signed_in.metadata)


async def registered(identity: Identity, signed_in: SignedIn, name: str = "Laptop") -> Authenticator:
    """Registers a passkey and answers its authenticator."""
    authenticator = Authenticator()
    await add(identity, signed_in, authenticator.create(await begin(identity, signed_in)), name)
    return authenticator


async def options(identity: Identity) -> Struct:
    """Begins to sign in."""
    answer = await identity.auth.BeginPasskeySignIn(auth_pb2.BeginPasskeySignInRequest())
    return answer.public_key


async def enter(identity: Identity, credential: Struct) -> auth_pb2.TokenPair:
    """Signs in with what an authenticator said."""
    return await identity.auth.SignInWithPasskey(auth_pb2.SignInWithPasskeyRequest(credential=credential))


async def refusal(identity: Identity, credential: Struct) -> str:
    """Answers why signing in is refused."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await enter(identity, credential)
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
    return make.reason(refused.value)


async def listed(identity: Identity, signed_in: SignedIn) -> list[passkeys_pb2.Passkey]:
    """Answers the member's passkeys."""
    answer = await identity.passkeys.ListPasskeys(
        passkeys_pb2.ListPasskeysRequest(), metadata=signed_in.metadata
    )
    return list(answer.passkeys)


async def test_a_passkey_signs_in_without_password_and_without_another_factor(
    identity: Identity, clock: MovableClock
) -> None:
    signed_in = await make.member(identity)
    authenticator = await registered(identity, signed_in)
    await enrol(identity, clock, signed_in)
    pair = await enter(identity, authenticator.get(await options(identity)))
    assert pair.member_id == signed_in.member_id
    assert pair.device_token
    assert not pair.HasField("second_factor")
    answer = await identity.logins.ListLogins(
        logins_pb2.ListLoginsRequest(), metadata=make.bearer(pair.access_token)
    )
    assert list(answer.logins[0].methods) == [logins_pb2.LOGIN_METHOD_PASSKEY]
    assert (await listed(identity, signed_in))[0].HasField("last_use_time")


async def test_a_passkey_completes_a_sign_in_by_password(identity: Identity, clock: MovableClock) -> None:
    signed_in, stranger = await make.member(identity), await make.member(identity)
    authenticator = await registered(identity, signed_in)
    theirs = await registered(identity, stranger)
    await enrol(identity, clock, signed_in)
    challenge = await challenged(identity, signed_in.email)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await identity.auth.CompleteSignIn(
            auth_pb2.CompleteSignInRequest(challenge=challenge, passkey=theirs.get(await options(identity)))
        )
    assert make.reason(refused.value) == "PASSKEY_REFUSED"
    pair = await identity.auth.CompleteSignIn(
        auth_pb2.CompleteSignInRequest(
            challenge=challenge, passkey=authenticator.get(await options(identity))
        )
    )
    assert pair.member_id == signed_in.member_id


async def test_a_member_has_several_passkeys_with_names_and_removes_one(identity: Identity) -> None:
    signed_in = await make.member(identity)
    first, second = [await registered(identity, signed_in, name) for name in ("Laptop", "Phone")]
    names = {each.display_name: each.id for each in await listed(identity, signed_in)}
    assert list(names) == ["Laptop", "Phone"]
    await identity.passkeys.RemovePasskey(
        passkeys_pb2.RemovePasskeyRequest(passkey_id=names["Laptop"]), metadata=signed_in.metadata
    )
    assert await refusal(identity, first.get(await options(identity))) == "PASSKEY_REFUSED"
    assert (await enter(identity, second.get(await options(identity)))).access_token
    entries = await make.audited(identity, signed_in.member_id)
    assert [action for action, _ in entries if action.startswith("passkey.")] == [
        "passkey.added",
        "passkey.added",
        "passkey.removed",
    ]
    await identity.mailbox.wait_for(signed_in.email, 3)


@pytest.mark.parametrize("how", ["origin", "subdomain of another", "not verified", "another member's"])
async def test_a_passkey_that_was_made_wrongly_is_not_taken(identity: Identity, how: str) -> None:
    signed_in, stranger = await make.member(identity), await make.member(identity)
    origins = {
        "origin": "https://evil.example",
        "subdomain of another": "https://chat.example.com.evil.example",
    }
    authenticator = Authenticator(
        origin=origins.get(how, "https://chat.example.com"), verified=how != "not verified"
    )
    asker = stranger if how == "another member's" else signed_in
    credential = authenticator.create(await begin(identity, asker))
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await add(identity, signed_in, credential)
    assert make.reason(refused.value) == "PASSKEY_INVALID"
    assert await listed(identity, signed_in) == []


async def test_the_answer_to_a_registration_is_good_once_for_five_minutes(
    identity: Identity, clock: MovableClock
) -> None:
    signed_in = await make.member(identity)
    credential = Authenticator().create(await begin(identity, signed_in))
    late = Authenticator().create(await begin(identity, signed_in))
    await add(identity, signed_in, credential)
    clock.ahead += timedelta(minutes=5, seconds=1)
    for each in (credential, late):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await add(identity, signed_in, each)
        assert make.reason(refused.value) == "PASSKEY_INVALID"
    assert len(await listed(identity, signed_in)) == 1


@pytest.mark.parametrize("how", ["origin", "not verified", "key", "unknown", "owner", "registration", "late"])
async def test_an_assertion_that_proves_nothing_is_refused_alike(
    identity: Identity, clock: MovableClock, how: str
) -> None:
    signed_in, stranger = await make.member(identity), await make.member(identity)
    authenticator = await registered(identity, signed_in)
    asked = await options(identity)
    if how == "origin":
        authenticator.origin = "https://evil.example"
    elif how == "not verified":
        authenticator.verified = False
    elif how == "key":
        authenticator.key = Authenticator().key
    elif how == "unknown":
        authenticator.credential_id = b"unknown"
    elif how == "owner":
        authenticator.user_handle = bytes.fromhex(stranger.member_id.replace("-", ""))
    elif how == "registration":
        asked.update({"challenge": (await begin(identity, signed_in))["challenge"]})
    else:
        clock.ahead += timedelta(minutes=5, seconds=1)
    assert await refusal(identity, authenticator.get(asked)) == "PASSKEY_REFUSED"


async def test_an_assertion_is_good_once_also_for_many_at_the_same_time(identity: Identity) -> None:
    signed_in = await make.member(identity)
    authenticator = await registered(identity, signed_in)
    authenticator.counts = False
    credential = authenticator.get(await options(identity))
    outcomes = await asyncio.gather(*(enter(identity, credential) for _ in range(8)), return_exceptions=True)
    assert len([each for each in outcomes if isinstance(each, auth_pb2.TokenPair)]) == 1
    assert await refusal(identity, credential) == "PASSKEY_REFUSED"


async def test_a_challenge_that_is_not_ours_is_refused(identity: Identity) -> None:
    signed_in = await make.member(identity)
    authenticator = await registered(identity, signed_in)
    asked = await options(identity)
    asked.update({"challenge": Clock().secret(64)})
    assert await refusal(identity, authenticator.get(asked)) == "PASSKEY_REFUSED"


async def test_a_copied_authenticator_whose_count_does_not_rise_is_refused(identity: Identity) -> None:
    signed_in = await make.member(identity)
    authenticator = await registered(identity, signed_in)
    await enter(identity, authenticator.get(await options(identity)))
    await enter(identity, authenticator.get(await options(identity)))
    authenticator.count = 0
    assert await refusal(identity, authenticator.get(await options(identity))) == "PASSKEY_REFUSED"


@pytest.mark.parametrize("text", ["", "\x01", "AAAA", "no base64 \u00fc"])
async def test_garbage_is_refused_and_no_defect(identity: Identity, text: str) -> None:
    signed_in = await make.member(identity)
    authenticator = await registered(identity, signed_in)
    credential = authenticator.get(await options(identity))
    for field in ("clientDataJSON", "authenticatorData", "signature", "userHandle"):
        garbled = Struct()
        garbled.CopyFrom(credential)
        garbled.get_or_create_struct("response").update({field: text})
        assert await refusal(identity, garbled) == "PASSKEY_REFUSED"
    garbled = Struct()
    garbled.update({"id": text, "numbers": [math.nan]})
    assert await refusal(identity, garbled) == "PASSKEY_REFUSED"
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await add(identity, signed_in, garbled)
    assert make.reason(refused.value) == "PASSKEY_INVALID"


async def test_a_stolen_access_token_cannot_add_or_remove_a_passkey(
    identity: Identity, clock: MovableClock
) -> None:
    signed_in = await make.member(identity)
    await registered(identity, signed_in)
    (row,) = await listed(identity, signed_in)
    clock.ahead += LATER
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await begin(identity, signed_in)
    assert make.reason(refused.value) == "PROOF_MISSING"
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await identity.passkeys.RemovePasskey(
            passkeys_pb2.RemovePasskeyRequest(passkey_id=row.id), metadata=signed_in.metadata
        )
    assert make.reason(refused.value) == "PROOF_MISSING"
    assert await begin(identity, signed_in, Proof(password=make.PASSWORD))


async def test_the_passkey_of_another_is_not_known_to_exist(identity: Identity) -> None:
    signed_in, neighbour = await make.member(identity), await make.member(identity)
    await registered(identity, neighbour)
    (theirs,) = await listed(identity, neighbour)
    for wanted in (theirs.id, str(Clock().new_id())):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await identity.passkeys.RemovePasskey(
                passkeys_pb2.RemovePasskeyRequest(passkey_id=wanted), metadata=signed_in.metadata
            )
        assert make.reason(refused.value) == "PASSKEY_NOT_FOUND"
    assert await listed(identity, signed_in) == []


async def test_the_name_of_a_passkey_is_encrypted(identity: Identity) -> None:
    signed_in = await make.member(identity)
    await registered(identity, signed_in, "Mina's own phone")
    (row,) = await make.rows(identity, "SELECT display_name FROM wrtn_passkeys", signed_in.member_id)
    assert b"Mina" not in row.display_name


@pytest.mark.parametrize(
    ("more", "domain", "origins"),
    [
        ({}, "chat.example.com", ("https://chat.example.com",)),
        ({"public_url": None}, "localhost", ("http://localhost:8080",)),
        ({"passkey_domain": "example.com"}, "example.com", ("https://chat.example.com",)),
        (
            {"passkey_origins": "https://a.example.com, https://b.a.example.com:8443"},
            "a.example.com",
            ("https://a.example.com", "https://b.a.example.com:8443"),
        ),
    ],
)
def test_domain_and_origins_come_from_the_settings(
    more: dict[str, str], domain: str, origins: tuple[str, ...]
) -> None:
    party = plain_settings(**more).passkey_party()
    assert (party.id, party.origins) == (domain, origins)


@pytest.mark.parametrize(
    "more",
    [
        {"passkey_domain": "evil.example"},
        {"passkey_origins": "https://chat.example.com/path"},
        {"passkey_origins": "chat.example.com"},
    ],
)
def test_domain_and_origins_that_do_not_go_together_refuse_the_start(more: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="WRTN_PASSKEY_ORIGINS"):
        plain_settings(**more).passkey_party()


def plain_settings(**more: str) -> IdentitySettings:
    """Answers settings that serve nothing."""
    given: dict[str, object] = {
        "grpc_address": "",
        "metrics_address": "",
        "database_url": "",
        "database_worker_url": "",
        "nats_url": "",
        "key_file": Path(),
        "peer_key_file": Path(),
        "peer_keys_dir": Path(),
        "identity_address": "",
        "enterprise_address": "",
        "sessions_address": "",
        "billing_address": "",
        "analytics_address": "",
        "blob_url": "",
        "smtp_url": "",
        "mail_from": "",
        "public_url": service.PUBLIC_URL,
    }
    return IdentitySettings(**(given | more))  # type: ignore[arg-type]

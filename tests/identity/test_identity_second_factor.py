"""The second factor: an authenticator app, recovery codes, and what changes them."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import grpc
import pyotp
import pytest

from tests.identity import make
from tests.identity.make import SignedIn
from tests.identity.service import Identity, MovableClock
from tests.identity.smtp_server import text_of
from wrtn.identity.v1 import auth_pb2, logins_pb2, second_factors_pb2
from wrtn.identity.v1.second_factors_pb2 import Proof

LATER = timedelta(minutes=11)
"""When signing in is no recent proof any more."""


class App:
    """An authenticator app, which reads the QR code."""

    def __init__(self, uri: str, clock: MovableClock) -> None:
        self._made = pyotp.TOTP(parse_qs(urlsplit(uri).query)["secret"][0])
        self._clock = clock

    def code(self, seconds: int = 0) -> str:
        """Answers the code that is shown in so many seconds."""
        return self._made.at(self._clock.now() + timedelta(seconds=seconds))

    def wrong(self) -> str:
        """Answers a code that is shown nowhere about now."""
        near = {self.code(seconds) for seconds in range(-120, 150, 30)}
        return next(code for code in (f"{number:06}" for number in range(20)) if code not in near)


async def enrol(identity: Identity, clock: MovableClock, signed_in: SignedIn) -> tuple[App, list[str]]:
    """Enrols an app; answers it and the recovery codes. The next half minute has come then."""
    begun = await identity.factors.EnrolTotp(
        second_factors_pb2.EnrolTotpRequest(), metadata=signed_in.metadata
    )
    app = App(begun.uri, clock)
    answer = await identity.factors.ConfirmTotp(
        second_factors_pb2.ConfirmTotpRequest(code=app.code()), metadata=signed_in.metadata
    )
    clock.ahead += timedelta(seconds=30)
    return app, list(answer.codes)


async def challenged(identity: Identity, email: str) -> str:
    """Signs in with the password and answers the challenge."""
    pair = (await make.sign_in(identity, email)).pair
    assert (pair.access_token, pair.refresh_token, pair.device_token) == ("", "", "")
    return pair.second_factor.challenge


async def complete(
    identity: Identity, challenge: str, *, totp_code: str = "", recovery_code: str = ""
) -> auth_pb2.TokenPair:
    """Completes a sign-in."""
    request = (
        auth_pb2.CompleteSignInRequest(challenge=challenge, totp_code=totp_code)
        if totp_code
        else auth_pb2.CompleteSignInRequest(challenge=challenge, recovery_code=recovery_code)
    )
    return await identity.auth.CompleteSignIn(request)


async def standing(identity: Identity, signed_in: SignedIn) -> second_factors_pb2.SecondFactor:
    """Answers how the second factor stands."""
    return await identity.factors.GetSecondFactor(
        second_factors_pb2.GetSecondFactorRequest(), metadata=signed_in.metadata
    )


async def actions(identity: Identity, signed_in: SignedIn) -> list[str]:
    """Answers what stands in the audit about the member's second factor."""
    entries = await make.audited(identity, signed_in.member_id)
    return [action for action, _ in entries if action.startswith("second_factor.")]


async def test_with_an_app_the_password_answers_a_challenge_and_the_code_completes_it(
    identity: Identity, clock: MovableClock
) -> None:
    signed_in = await make.member(identity)
    app, codes = await enrol(identity, clock, signed_in)
    assert len(set(codes)) == 10
    challenge = await challenged(identity, signed_in.email)
    pair = await complete(identity, challenge, totp_code=app.code())
    assert pair.member_id == signed_in.member_id
    assert pair.device_token
    answer = await identity.logins.ListLogins(
        logins_pb2.ListLoginsRequest(), metadata=make.bearer(pair.access_token)
    )
    assert list(answer.logins[0].methods) == [
        logins_pb2.LOGIN_METHOD_PASSWORD,
        logins_pb2.LOGIN_METHOD_TOTP,
    ]


async def test_an_app_counts_only_once_a_code_has_confirmed_it(
    identity: Identity, clock: MovableClock
) -> None:
    signed_in = await make.member(identity)
    begun = await identity.factors.EnrolTotp(
        second_factors_pb2.EnrolTotpRequest(), metadata=signed_in.metadata
    )
    app = App(begun.uri, clock)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await identity.factors.ConfirmTotp(
            second_factors_pb2.ConfirmTotpRequest(code=app.wrong()), metadata=signed_in.metadata
        )
    assert make.reason(refused.value) == "SECOND_FACTOR_REFUSED"
    assert (await make.sign_in(identity, signed_in.email)).pair.access_token
    assert not (await standing(identity, signed_in)).totp_active


async def test_enrolling_again_before_the_first_code_replaces_the_secret_and_after_it_is_refused(
    identity: Identity, clock: MovableClock
) -> None:
    signed_in = await make.member(identity)
    await identity.factors.EnrolTotp(second_factors_pb2.EnrolTotpRequest(), metadata=signed_in.metadata)
    await enrol(identity, clock, signed_in)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await enrol(identity, clock, signed_in)
    assert make.reason(refused.value) == "SECOND_FACTOR_ACTIVE"


@pytest.mark.parametrize(("seconds", "good"), [(-60, False), (-30, True), (0, True), (30, True), (60, False)])
async def test_a_clock_may_differ_by_one_step(
    identity: Identity, clock: MovableClock, seconds: int, *, good: bool
) -> None:
    signed_in = await make.member(identity)
    app, _ = await enrol(identity, clock, signed_in)
    clock.ahead += timedelta(minutes=5)
    challenge = await challenged(identity, signed_in.email)
    if good:
        assert (await complete(identity, challenge, totp_code=app.code(seconds))).access_token
        return
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await complete(identity, challenge, totp_code=app.code(seconds))
    assert make.reason(refused.value) == "SECOND_FACTOR_REFUSED"


async def test_a_code_is_good_once_also_for_two_at_the_same_time(
    identity: Identity, clock: MovableClock
) -> None:
    signed_in = await make.member(identity)
    app, _ = await enrol(identity, clock, signed_in)
    waiting = [await challenged(identity, signed_in.email) for _ in range(3)]
    outcomes = await asyncio.gather(
        *(complete(identity, each, totp_code=app.code()) for each in waiting), return_exceptions=True
    )
    refused = [make.reason(each) for each in outcomes if isinstance(each, grpc.aio.AioRpcError)]
    assert refused == ["SECOND_FACTOR_REFUSED"] * 2
    late = await challenged(identity, signed_in.email)
    with pytest.raises(grpc.aio.AioRpcError):
        await complete(identity, late, totp_code=app.code(-30))
    assert (await complete(identity, late, totp_code=app.code(30))).access_token


async def test_a_recovery_code_is_good_once_and_the_count_says_what_is_left(
    identity: Identity, clock: MovableClock
) -> None:
    signed_in = await make.member(identity)
    _, codes = await enrol(identity, clock, signed_in)
    challenge = await challenged(identity, signed_in.email)
    spoken = codes[0].replace("-", " ").upper()
    assert (await complete(identity, challenge, recovery_code=spoken)).access_token
    assert (await standing(identity, signed_in)).recovery_codes_left == 9
    challenge = await challenged(identity, signed_in.email)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await complete(identity, challenge, recovery_code=codes[0])
    assert make.reason(refused.value) == "SECOND_FACTOR_REFUSED"


async def test_recovery_codes_and_secret_are_not_kept_in_plain_text(
    identity: Identity, clock: MovableClock
) -> None:
    signed_in = await make.member(identity)
    _, codes = await enrol(identity, clock, signed_in)
    rows = await make.rows(identity, "SELECT code_hash FROM wrtn_recovery_codes", signed_in.member_id)
    assert all(len(row.code_hash) == 32 for row in rows)
    assert not {each.encode() for each in codes} & {row.code_hash for row in rows}
    neighbour = await make.member(identity)
    assert await make.rows(identity, "SELECT * FROM wrtn_recovery_codes", neighbour.member_id) == []


async def test_new_recovery_codes_void_the_old_ones(identity: Identity, clock: MovableClock) -> None:
    signed_in = await make.member(identity)
    _, codes = await enrol(identity, clock, signed_in)
    renewed = await identity.factors.RenewRecoveryCodes(
        second_factors_pb2.RenewRecoveryCodesRequest(), metadata=signed_in.metadata
    )
    assert len(set(renewed.codes) | set(codes)) == 20
    challenge = await challenged(identity, signed_in.email)
    with pytest.raises(grpc.aio.AioRpcError):
        await complete(identity, challenge, recovery_code=codes[1])
    assert (await complete(identity, challenge, recovery_code=renewed.codes[1])).access_token


@pytest.mark.parametrize("how", ["used", "expired", "unknown", "garbled", "a refresh token"])
async def test_a_challenge_is_good_once_for_five_minutes(
    identity: Identity, clock: MovableClock, how: str
) -> None:
    signed_in = await make.member(identity)
    app, _ = await enrol(identity, clock, signed_in)
    challenge = await challenged(identity, signed_in.email)
    if how == "used":
        await complete(identity, challenge, totp_code=app.code())
        clock.ahead += timedelta(seconds=30)
    elif how == "expired":
        clock.ahead += timedelta(minutes=5, seconds=1)
    else:
        challenge = {
            "unknown": challenge[:-1] + ("A" if challenge[-1] != "A" else "B"),
            "garbled": "wrtn_sc_\u00fc",
        }.get(how, signed_in.pair.refresh_token)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await complete(identity, challenge, totp_code=app.code())
    assert make.reason(refused.value) == "CHALLENGE_REFUSED"


async def test_ten_wrong_codes_stop_guessing_over_all_challenges(
    identity: Identity, clock: MovableClock
) -> None:
    signed_in = await make.member(identity)
    app, _ = await enrol(identity, clock, signed_in)
    waiting = [await challenged(identity, signed_in.email) for _ in range(2)]
    reasons = []
    for number in range(11):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await complete(identity, waiting[number % 2], totp_code=app.wrong())
        reasons.append(make.reason(refused.value))
    assert reasons == ["SECOND_FACTOR_REFUSED"] * 10 + ["TOO_MANY_TRIES"]
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await complete(identity, waiting[0], totp_code=app.code())
    assert make.reason(refused.value) == "TOO_MANY_TRIES"


async def remove(identity: Identity, signed_in: SignedIn, proof: Proof | None = None) -> None:
    """Removes the app."""
    await identity.factors.RemoveTotp(
        second_factors_pb2.RemoveTotpRequest(proof=proof), metadata=signed_in.metadata
    )


async def test_removing_needs_a_recent_proof_and_is_audited_and_told_by_mail(
    identity: Identity, clock: MovableClock
) -> None:
    signed_in = await make.member(identity)
    app, codes = await enrol(identity, clock, signed_in)
    clock.ahead += LATER
    for proof, reason in (
        (None, "PROOF_MISSING"),
        (Proof(password="wrong"), "PROOF_REFUSED"),
        (Proof(totp_code=app.wrong()), "SECOND_FACTOR_REFUSED"),
        (Proof(recovery_code="abcd"), "SECOND_FACTOR_REFUSED"),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await remove(identity, signed_in, proof)
        assert make.reason(refused.value) == reason
    assert (await standing(identity, signed_in)).recovery_codes_left == len(codes)
    await remove(identity, signed_in, Proof(password=make.PASSWORD))
    assert (await make.sign_in(identity, signed_in.email)).pair.access_token
    assert await actions(identity, signed_in) == ["second_factor.added", "second_factor.removed"]
    left = await make.rows(identity, "SELECT * FROM wrtn_recovery_codes", signed_in.member_id)
    assert left == []
    await identity.mailbox.wait_for(signed_in.email, 2)
    told = [text_of(message) for message in identity.mailbox.to(signed_in.email)]
    assert any("was added" in each for each in told)
    assert any("was removed" in each for each in told)


@pytest.mark.parametrize("which", ["totp", "recovery"])
async def test_a_code_is_a_proof_too_and_used_up_by_it(
    identity: Identity, clock: MovableClock, which: str
) -> None:
    signed_in = await make.member(identity)
    app, codes = await enrol(identity, clock, signed_in)
    clock.ahead += LATER
    proof = Proof(totp_code=app.code()) if which == "totp" else Proof(recovery_code=codes[3])
    renewed = await identity.factors.RenewRecoveryCodes(
        second_factors_pb2.RenewRecoveryCodesRequest(proof=proof), metadata=signed_in.metadata
    )
    assert len(renewed.codes) == 10
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await remove(identity, signed_in, proof)
    assert make.reason(refused.value) == "SECOND_FACTOR_REFUSED"


async def test_a_stolen_access_token_cannot_enrol_an_app_of_the_thief(
    identity: Identity, clock: MovableClock
) -> None:
    signed_in = await make.member(identity)
    clock.ahead += LATER
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await identity.factors.EnrolTotp(second_factors_pb2.EnrolTotpRequest(), metadata=signed_in.metadata)
    assert (refused.value.code(), make.reason(refused.value)) == (
        grpc.StatusCode.FAILED_PRECONDITION,
        "PROOF_MISSING",
    )


async def test_wrong_proofs_are_counted_as_guesses(identity: Identity, clock: MovableClock) -> None:
    signed_in = await make.member(identity)
    await enrol(identity, clock, signed_in)
    clock.ahead += timedelta(minutes=10)
    reasons = []
    for _ in range(11):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await remove(identity, signed_in, Proof(password="wrong"))
        reasons.append(make.reason(refused.value))
    assert reasons == ["PROOF_REFUSED"] * 10 + ["TOO_MANY_TRIES"]

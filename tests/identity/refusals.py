"""What each verb of the contract refuses: tokens, codes, proofs and addresses that are good for nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct

from services.identity.personal_data import certificates
from tests.identity import make
from tests.identity.make import SignedIn
from tests.identity.service import Identity, MovableClock
from tests.identity.smtp_server import code_in
from tests.identity.test_identity_second_factor import challenged, enrol
from wrtn.identity.v1 import federation_pb2
from wrtn.identity.v1.auth_pb2 import (
    CompleteSignInRequest,
    IssueServiceTokenRequest,
    RefreshTokenRequest,
    SignInRequest,
    SignInWithPasskeyRequest,
)
from wrtn.identity.v1.emails_pb2 import CreateEmailRequest
from wrtn.identity.v1.erasures_pb2 import EraseMemberRequest, ReadErasureCertificateRequest
from wrtn.identity.v1.mails_pb2 import SendMailRequest
from wrtn.identity.v1.members_pb2 import RegisterMemberRequest, VerifyEmailRequest
from wrtn.identity.v1.passkeys_pb2 import (
    BeginPasskeyRegistrationRequest,
    CreatePasskeyRequest,
    RemovePasskeyRequest,
)
from wrtn.identity.v1.passwords_pb2 import (
    ChangePasswordRequest,
    RequestPasswordResetRequest,
    ResetPasswordRequest,
)
from wrtn.identity.v1.provisioning_pb2 import ProvisionMemberRequest
from wrtn.identity.v1.second_factors_pb2 import (
    ConfirmTotpRequest,
    EnrolTotpRequest,
    Proof,
    RemoveTotpRequest,
    RenewRecoveryCodesRequest,
)

Refusals = Mapping[str, list[tuple[Message, str]]]
"""Requests by the verb that refuses them, each with the reason."""

WRONG, NEW = "a wrong password", "nine violet hippos"
NO_ADDRESSES = ("no address", "two@at@example.com")


@dataclass(frozen=True)
class Given:
    """Two members, of whom the first has an authenticator app, and a token of each kind."""

    known: SignedIn
    other: SignedIn
    used_verification: str
    reset: str
    challenge: str
    certificate: str

    def strays(self, own: str) -> list[str]:
        """Answers what is not the token: garbled, cut, under another prefix, of another kind or member."""
        head, tail = own[:8], own[8:]
        flipped = own[:-2] + ("AA" if own[-2:] != "AA" else "BB")
        kinds = (self.used_verification, self.reset, self.challenge, self.refresh, self.certificate)
        others = [each for each in kinds if each != own]
        return ["nonsense", "\u00e9", own[:-1], flipped, tail, f"{head}{tail[22:]}{tail[:22]}", *others]

    @property
    def refresh(self) -> str:
        """The refresh token of the first."""
        return self.known.pair.refresh_token


async def given(identity: Identity, clock: MovableClock) -> Given:
    """Makes the members, and has every kind of token be issued. No sign-in is a recent proof after that."""
    known, other = await make.registered(identity), await make.member(identity)
    used = code_in(await identity.mailbox.wait_for(known.email))
    await identity.passwords.RequestPasswordReset(RequestPasswordResetRequest(email=other.email))
    reset = code_in(await identity.mailbox.wait_for(other.email))
    await enrol(identity, clock, known)
    clock.ahead += timedelta(minutes=11)
    challenge = await challenged(identity, known.email)
    certificate = certificates.token(identity.running.runtime.keyring, clock.new_id())
    return Given(known, other, used, reset, challenge, certificate)


def refusals(given: Given) -> Refusals:
    """Answers every verb with what it has to refuse."""
    return {
        **_tokens(given),
        **_passwords(given),
        **_second_steps(given),
        **_federation(),
        **_proofs(given),
        **_addresses(),
    }


def _each(requests: Iterable[Message], reason: str) -> list[tuple[Message, str]]:
    return [(request, reason) for request in requests]


def _tokens(given: Given) -> Refusals:
    verifications = (*given.strays(given.used_verification), given.used_verification)
    resets, refreshes = given.strays(given.reset), given.strays(given.refresh)
    ends = (*given.strays(given.certificate), given.certificate)
    return {
        "VerifyEmail": _each(
            (VerifyEmailRequest(token=each) for each in verifications), "VERIFICATION_REFUSED"
        ),
        "ResetPassword": _each(
            (ResetPasswordRequest(token=each, new_password=NEW) for each in resets), "RESET_REFUSED"
        ),
        "RefreshToken": _each(
            (RefreshTokenRequest(refresh_token=each) for each in refreshes), "REFRESH_TOKEN_REFUSED"
        ),
        "ReadErasureCertificate": _each(
            (ReadErasureCertificateRequest(token=each) for each in ends), "CERTIFICATE_NOT_FOUND"
        ),
    }


def _passwords(given: Given) -> Refusals:
    emails, secrets = (given.other.email, "nobody@example.com", "no address"), ("nonsense", given.refresh)
    member_id = given.known.member_id
    changing = ChangePasswordRequest(member_id="me", current_password=WRONG, new_password=NEW)
    return {
        "SignIn": _each((SignInRequest(email=each, password=WRONG) for each in emails), "SIGN_IN_REFUSED"),
        "ChangePassword": [(changing, "PASSWORD_WRONG")],
        "IssueServiceToken": _each(
            (IssueServiceTokenRequest(credential_id=member_id, secret=each) for each in secrets),
            "CREDENTIAL_REFUSED",
        ),
    }


def _second_steps(given: Given) -> Refusals:
    empty, challenge = Struct(), given.challenge
    empty.update({"id": "AAAA", "response": {}})
    strays = (CompleteSignInRequest(challenge=each, totp_code="000000") for each in given.strays(challenge))
    return {
        "CompleteSignIn": [
            *_each(strays, "CHALLENGE_REFUSED"),
            (CompleteSignInRequest(challenge=challenge, recovery_code="x"), "SECOND_FACTOR_REFUSED"),
            (CompleteSignInRequest(challenge=challenge, passkey=empty), "PASSKEY_REFUSED"),
        ],
        "SignInWithPasskey": [(SignInWithPasskeyRequest(credential=empty), "PASSKEY_REFUSED")],
        "ConfirmTotp": [(ConfirmTotpRequest(code="000000"), "SECOND_FACTOR_MISSING")],
        "CreatePasskey": [(CreatePasskeyRequest(credential=empty, display_name="x"), "PASSKEY_INVALID")],
    }


def _federation() -> Refusals:
    no_flow: dict[str, Any] = {"state": "nonsense", "code": "nonsense", "binding": "nonsense"}
    signing_in = federation_pb2.CompleteFederatedSignInRequest(**no_flow)
    linking = federation_pb2.CompleteIdentityLinkRequest(**no_flow)
    return {
        "CompleteFederatedSignIn": [(signing_in, "FEDERATED_SIGN_IN_REFUSED")],
        "CompleteIdentityLink": [(linking, "FEDERATED_SIGN_IN_REFUSED")],
    }


def _proofs(given: Given) -> Refusals:
    """All that wants a proof again, with a password that is not right."""
    bad, something = Proof(password=WRONG), given.known.member_id
    requests: dict[str, Message] = {
        "BeginIdentityLink": federation_pb2.BeginIdentityLinkRequest(provider_id="google", proof=bad),
        "UnlinkFederatedIdentity": federation_pb2.UnlinkFederatedIdentityRequest(
            identity_id=something, proof=bad
        ),
        "EnrolTotp": EnrolTotpRequest(proof=bad),
        "RenewRecoveryCodes": RenewRecoveryCodesRequest(proof=bad),
        "RemoveTotp": RemoveTotpRequest(proof=bad),
        "BeginPasskeyRegistration": BeginPasskeyRegistrationRequest(proof=bad),
        "RemovePasskey": RemovePasskeyRequest(passkey_id=something, proof=bad),
        "EraseMember": EraseMemberRequest(member_id="me", proof=bad),
    }
    return {verb: [(request, "PROOF_REFUSED")] for verb, request in requests.items()}


def _addresses() -> Refusals:
    """What is no address, wherever one is typed."""
    registering = (
        RegisterMemberRequest(email=each, password=make.PASSWORD, display_name="Ann") for each in NO_ADDRESSES
    )
    adding = (CreateEmailRequest(member_id="me", address=each) for each in NO_ADDRESSES)
    writing = SendMailRequest(address="no address", template="verify_email")
    provisioning = ProvisionMemberRequest(email="no address", display_name="Ann")
    requests: dict[str, Iterable[Message]] = {
        "RegisterMember": registering,
        "CreateEmail": adding,
        "SendMail": [writing],
        "ProvisionMember": [provisioning],
    }
    return {verb: _each(each, "REQUEST_INVALID") for verb, each in requests.items()}

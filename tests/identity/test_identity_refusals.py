"""Wrong, expired, used and foreign tokens, codes and addresses: one clear error each, and nothing changes.

What each of them is good for stands in the tests of its own verb; here every verb of the contract has a row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct

from services.identity.personal_data import certificates
from tests.identity import make
from tests.identity.data import refused
from tests.identity.make import SignedIn
from tests.identity.service import Identity, MovableClock
from tests.identity.smtp_server import code_in
from tests.identity.test_identity_second_factor import challenged, enrol
from wrtn.identity.v1 import (
    auth_pb2,
    emails_pb2,
    erasures_pb2,
    federation_pb2,
    mails_pb2,
    members_pb2,
    passkeys_pb2,
    passwords_pb2,
    provisioning_pb2,
    second_factors_pb2,
)
from wrtn.identity.v1.second_factors_pb2 import Proof

PACKAGE = (
    auth_pb2,
    emails_pb2,
    erasures_pb2,
    federation_pb2,
    mails_pb2,
    members_pb2,
    passkeys_pb2,
    passwords_pb2,
    provisioning_pb2,
    second_factors_pb2,
)
PROVING = {
    "token",
    "refresh_token",
    "challenge",
    "state",
    "secret",
    "credential",
    "proof",
    "current_password",
}
TYPED = {"code", "email", "address", "current_password"}
"""The fields by which somebody proves something, and those that people type."""
ELSEWHERE = {
    "RequestPasswordReset": "answers the same to every text (test_identity_passwords)",
    "DiscoverSignIn": "answers the same to every text (test_identity_single_sign_on)",
    "BeginFederatedSignIn": "answers the same to every text (test_identity_single_sign_on)",
}
KEPT = (
    *("members", "emails", "verified_addresses", "email_verifications", "password_resets", "accounts"),
    *("refresh_tokens", "known_devices", "totp_factors", "recovery_codes", "passkeys", "api_keys"),
    *("service_credentials", "federated_subjects", "federated_identities", "federated_flows", "mails"),
    "audit_entries",
)
"""What nothing of this changes. Tries are counted, and a login notes its last use."""

Attempt = tuple[Message, str]


async def state(identity: Identity) -> dict[str, Any]:
    """Answers what is in the tables."""
    digest = "count(*), md5(coalesce(string_agg(each::text, ',' ORDER BY each::text), ''))"
    found: dict[str, Any] = {}
    for table in KEPT:
        columns = "id" if table == "mails" else "*"
        query = f"SELECT {digest} FROM (SELECT {columns} FROM wrtn_{table}) AS each"
        found[table] = await make.as_superuser(identity, query)
    logins = "SELECT id, end_time FROM wrtn_logins ORDER BY id"
    return found | {"logins": await make.as_superuser(identity, logins)}


def verbs() -> dict[str, Any]:
    """Answers the methods of the contract that take what proves something, or an address, by their name."""
    methods = {}
    for module in PACKAGE:
        for service in module.DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                if (PROVING | TYPED) & set(method.input_type.fields_by_name):
                    methods[method.name] = method
    return methods


async def call(identity: Identity, verb: str, request: Message, metadata: Any) -> None:
    """Calls a method by its name."""
    method = verbs()[verb]
    path = f"/{method.containing_service.full_name}/{verb}"
    async with identity.running.channel() as channel:
        raw: Any = channel.unary_unary(path, type(request).SerializeToString)
        await raw(request, metadata=metadata)


def wrong_tokens(own: str, others: Sequence[str]) -> list[str]:
    """Answers what is not the token: garbled, cut, under another prefix, of another kind or member."""
    head, tail = own[:8], own[8:]
    flipped = own[:-2] + ("AA" if own[-2:] != "AA" else "BB")
    return ["nonsense", "\u00e9", own[:-1], flipped, tail, f"{head}{tail[22:]}{tail[:22]}", *others]


async def attempts(
    identity: Identity, clock: MovableClock, known: SignedIn, other: SignedIn
) -> Mapping[str, list[Attempt]]:
    """Answers every verb with what it has to refuse, and the reason."""
    used = code_in(await identity.mailbox.wait_for(known.email))
    await identity.passwords.RequestPasswordReset(
        passwords_pb2.RequestPasswordResetRequest(email=other.email)
    )
    reset = code_in(await identity.mailbox.wait_for(other.email, 2))
    await enrol(identity, clock, known)
    clock.ahead += timedelta(minutes=11)
    challenge = await challenged(identity, known.email)
    certificate = certificates.token(identity.running.runtime.keyring, clock.new_id())
    refresh = known.pair.refresh_token
    kinds = {"verify": used, "reset": reset, "challenge": challenge, "refresh": refresh, "end": certificate}

    def strays(kind: str) -> list[str]:
        return wrong_tokens(kinds[kind], [each for name, each in kinds.items() if name != kind])

    bad, empty = Proof(password="a wrong password"), Struct()
    empty.update({"id": "AAAA", "response": {}})
    no_flow: dict[str, Any] = {"state": "nonsense", "code": "nonsense", "binding": "nonsense"}
    return {
        "VerifyEmail": [
            (members_pb2.VerifyEmailRequest(token=each), "VERIFICATION_REFUSED")
            for each in (*strays("verify"), used)
        ],
        "ResetPassword": [
            (
                passwords_pb2.ResetPasswordRequest(token=each, new_password="nine violet hippos"),
                "RESET_REFUSED",
            )
            for each in strays("reset")
        ],
        "RefreshToken": [
            (auth_pb2.RefreshTokenRequest(refresh_token=each), "REFRESH_TOKEN_REFUSED")
            for each in strays("refresh")
        ],
        "CompleteSignIn": [
            *(
                (auth_pb2.CompleteSignInRequest(challenge=each, totp_code="000000"), "CHALLENGE_REFUSED")
                for each in strays("challenge")
            ),
            (auth_pb2.CompleteSignInRequest(challenge=challenge, recovery_code="x"), "SECOND_FACTOR_REFUSED"),
            (auth_pb2.CompleteSignInRequest(challenge=challenge, passkey=empty), "PASSKEY_REFUSED"),
        ],
        "ReadErasureCertificate": [
            (erasures_pb2.ReadErasureCertificateRequest(token=each), "CERTIFICATE_NOT_FOUND")
            for each in (*strays("end"), certificate)
        ],
        "SignIn": [
            (auth_pb2.SignInRequest(email=email, password="a wrong password"), "SIGN_IN_REFUSED")
            for email in (other.email, "nobody@example.com", "no address")
        ],
        "SignInWithPasskey": [(auth_pb2.SignInWithPasskeyRequest(credential=empty), "PASSKEY_REFUSED")],
        "IssueServiceToken": [
            (
                auth_pb2.IssueServiceTokenRequest(credential_id=known.member_id, secret=each),
                "CREDENTIAL_REFUSED",
            )
            for each in ("nonsense", refresh)
        ],
        "CompleteFederatedSignIn": [
            (federation_pb2.CompleteFederatedSignInRequest(**no_flow), "FEDERATED_SIGN_IN_REFUSED")
        ],
        "CompleteIdentityLink": [
            (federation_pb2.CompleteIdentityLinkRequest(**no_flow), "FEDERATED_SIGN_IN_REFUSED")
        ],
        "BeginIdentityLink": [
            (federation_pb2.BeginIdentityLinkRequest(provider_id="google", proof=bad), "PROOF_REFUSED")
        ],
        "UnlinkFederatedIdentity": [
            (
                federation_pb2.UnlinkFederatedIdentityRequest(identity_id=known.member_id, proof=bad),
                "PROOF_REFUSED",
            )
        ],
        "ConfirmTotp": [(second_factors_pb2.ConfirmTotpRequest(code="000000"), "SECOND_FACTOR_MISSING")],
        "EnrolTotp": [(second_factors_pb2.EnrolTotpRequest(proof=bad), "PROOF_REFUSED")],
        "RenewRecoveryCodes": [(second_factors_pb2.RenewRecoveryCodesRequest(proof=bad), "PROOF_REFUSED")],
        "RemoveTotp": [(second_factors_pb2.RemoveTotpRequest(proof=bad), "PROOF_REFUSED")],
        "BeginPasskeyRegistration": [
            (passkeys_pb2.BeginPasskeyRegistrationRequest(proof=bad), "PROOF_REFUSED")
        ],
        "CreatePasskey": [
            (passkeys_pb2.CreatePasskeyRequest(credential=empty, display_name="x"), "PASSKEY_INVALID")
        ],
        "RemovePasskey": [
            (passkeys_pb2.RemovePasskeyRequest(passkey_id=known.member_id, proof=bad), "PROOF_REFUSED")
        ],
        "EraseMember": [(erasures_pb2.EraseMemberRequest(member_id="me", proof=bad), "PROOF_REFUSED")],
        "ChangePassword": [
            (
                passwords_pb2.ChangePasswordRequest(
                    member_id="me", current_password="a wrong password", new_password="nine violet hippos"
                ),
                "PASSWORD_WRONG",
            )
        ],
        "RegisterMember": [
            (
                members_pb2.RegisterMemberRequest(email=each, password=make.PASSWORD, display_name="Ann"),
                "REQUEST_INVALID",
            )
            for each in ("no address", "two@at@example.com")
        ],
        "CreateEmail": [
            (emails_pb2.CreateEmailRequest(member_id="me", address=each), "REQUEST_INVALID")
            for each in ("no address", "two@at@example.com")
        ],
        "SendMail": [
            (mails_pb2.SendMailRequest(address="no address", template="verify_email"), "REQUEST_INVALID")
        ],
        "ProvisionMember": [
            (
                provisioning_pb2.ProvisionMemberRequest(email="no address", display_name="Ann"),
                "REQUEST_INVALID",
            )
        ],
    }


async def test_each_verb_refuses_what_is_not_good_for_one_reason_and_changes_nothing(
    identity: Identity, clock: MovableClock
) -> None:
    known, other = await make.member(identity), await make.member(identity)
    table = await attempts(identity, clock, known, other)
    assert set(table) | set(ELSEWHERE) == set(verbs()), "a new verb: say here what it refuses"
    before, otherwise = await state(identity), []
    for verb, rows in table.items():
        peer = verb in ("SendMail", "ProvisionMember")
        metadata = identity.peer() if peer else known.metadata
        for request, reason in rows:
            code, found = await refused(call(identity, verb, request, metadata))
            if found != reason:
                otherwise.append((verb, str(request), code, found))
        assert await state(identity) == before, verb
    assert otherwise == []
    assert await make.works(identity, known)
    assert await make.refresh(identity, known.pair.refresh_token), "nothing of it ended the login"

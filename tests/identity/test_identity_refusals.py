"""Wrong, expired, used and foreign tokens, codes and addresses: one clear error each, and nothing changes.

What each of them is good for stands in the tests of its own verb; `refusals` has a row for every verb.
"""

from __future__ import annotations

from typing import Any

from google.protobuf.message import Message

from tests.identity import make
from tests.identity.data import refused
from tests.identity.refusals import given, refusals
from tests.identity.service import Identity, MovableClock
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
    *("service_credentials", "federated_subjects", "federated_identities", "federated_flows"),
    "audit_entries",
)
PARTLY = {"mails": "id", "logins": "id, end_time"}
"""What nothing of this changes. Tries are counted, and a login notes its last use."""


async def state(identity: Identity) -> dict[str, tuple[int, str]]:
    """Answers how many rows each table has, and a digest of them."""
    digest = "count(*), md5(coalesce(string_agg(each::text, ',' ORDER BY each::text), ''))"
    each_table = (
        f"SELECT '{table}', {digest} FROM (SELECT {columns} FROM wrtn_{table}) AS each"
        for table, columns in (dict.fromkeys(KEPT, "*") | PARTLY).items()
    )
    found = await make.as_superuser(identity, " UNION ALL ".join(each_table))
    return {table: (count, hashed) for table, count, hashed in found}


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


async def test_each_verb_refuses_what_is_not_good_for_one_reason_and_changes_nothing(
    identity: Identity, clock: MovableClock
) -> None:
    having = await given(identity, clock)
    known, table = having.known, refusals(having)
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

"""Passkeys (WebAuthn): registering, listing, removing, and what an assertion proves.

The authenticator verifies the person by itself (a fingerprint, a PIN), so a passkey is two factors.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import webauthn
from webauthn.helpers import (
    options_to_json,
    parse_authentication_credential_json,
    parse_client_data_json,
    parse_registration_credential_json,
)
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticationCredential,
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    RegistrationCredential,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from chassis.clock import Clock
from chassis.crypto import DataKey, Keyring
from chassis.database import Snapshot, Transaction
from services.identity.errors import (
    PasskeyExists,
    PasskeyInvalid,
    PasskeyNotFound,
    PasskeyRefused,
    TooManyPasskeys,
)
from services.identity.factors import ways, webauthn_challenges
from services.identity.factors.notices import Change, changed
from services.identity.mail.letters import PRODUCT
from services.identity.mail.post import Post
from services.identity.members import members
from services.identity.models import Passkey
from services.identity.store.passkeys import Passkeys, answer_challenge

MOST = 20
_NAME = "display_name"
"""The context that binds a ciphertext to its column."""
_SIGN_IN = "sign in"
_MALFORMED = (WebAuthnException, ValueError, KeyError, TypeError, IndexError, OverflowError)
"""What the library raises of bytes that are not what they claim to be."""

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Party:
    """Who asks for passkeys: a domain, and the origins of the pages that may ask in its name."""

    id: str
    origins: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Named:
    """A passkey with its name in plain text."""

    passkey: Passkey
    display_name: str


@dataclass(frozen=True, slots=True)
class Assertion:
    """What came from an authenticator; nothing is proven but whose it claims to be."""

    member_id: UUID
    credential: AuthenticationCredential
    challenge: bytes


async def registration(snapshot: Snapshot, keyring: Keyring, party: Party, member_id: UUID) -> Json:
    """Answers the options with which a browser makes a passkey (PublicKeyCredentialCreationOptions)."""
    profile = await members.profile(snapshot, keyring, await members.get(snapshot, member_id), own=True)
    existing = await Passkeys(snapshot, member_id).oldest(None, MOST)
    if len(existing) >= MOST:
        raise TooManyPasskeys(f"There are {MOST} passkeys already; remove one first.")
    options = webauthn.generate_registration_options(
        rp_id=party.id,
        rp_name=PRODUCT,
        user_id=member_id.bytes,
        user_name=profile.emails[0][1] if profile.emails else profile.display_name,
        user_display_name=profile.display_name,
        challenge=webauthn_challenges.make(keyring, snapshot.clock, _registration_of(member_id)),
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=[PublicKeyCredentialDescriptor(id=each.credential_id) for each in existing],
    )
    return _json(options_to_json(options))


async def register(
    tx: Transaction,
    keyring: Keyring,
    post: Post,
    party: Party,
    member_id: UUID,
    credential: Json,
    display_name: str,
) -> Named:
    """Adds the passkey that an authenticator made.

    Raises PasskeyInvalid for a wrong origin, challenge or signature, or without verification of the
    person; PasskeyExists for one that the member has.
    """
    made, challenge = _made(credential)
    await _answer(tx, keyring, challenge, _registration_of(member_id), invalid())
    try:
        verified = webauthn.verify_registration_response(
            credential=made,
            expected_challenge=challenge,
            expected_rp_id=party.id,
            expected_origin=list(party.origins),
            require_user_verification=True,
        )
    except _MALFORMED as error:
        raise invalid() from error
    key = await keyring.key(tx, member_id)
    passkey_id = tx.clock.new_id()
    row = await Passkeys(tx, member_id).add(
        {
            "id": passkey_id,
            "credential_id": verified.credential_id,
            "public_key": verified.credential_public_key,
            "display_name": key.encrypt(display_name.encode(), member_id, passkey_id, _NAME),
            "sign_count": verified.sign_count,
            "create_time": tx.now,
        }
    )
    if row is None:
        raise PasskeyExists("The passkey is registered already.", field="credential")
    await changed(tx, keyring, post, member_id, Change.PASSKEY_ADDED, passkey_id)
    return Named(row, display_name)


async def oldest(
    snapshot: Snapshot, keyring: Keyring, member_id: UUID, after: tuple[datetime, UUID] | None, most: int
) -> Sequence[Named]:
    """Answers the passkeys of the scope's member, the oldest first."""
    rows = await Passkeys(snapshot, member_id).oldest(after, most)
    if not rows:
        return ()
    key = await keyring.key(snapshot, member_id)
    return [Named(row, name_of(key, row.id, row.display_name)) for row in rows]


async def remove(tx: Transaction, keyring: Keyring, post: Post, member_id: UUID, passkey_id: UUID) -> None:
    """Removes a passkey; raises PasskeyNotFound for one that is not the member's, and LastWayToSignIn."""
    await ways.lock(tx, member_id)
    if not await Passkeys(tx, member_id).remove(passkey_id):
        raise PasskeyNotFound("The passkey does not exist.", field="passkey_id")
    await ways.require_one(tx, member_id)
    await changed(tx, keyring, post, member_id, Change.PASSKEY_REMOVED, passkey_id)


def assertion_options(keyring: Keyring, clock: Clock, party: Party) -> Json:
    """Answers the options with which a browser asks for any passkey of ours, whosever it is."""
    options = webauthn.generate_authentication_options(
        rp_id=party.id,
        challenge=webauthn_challenges.make(keyring, clock, _SIGN_IN),
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return _json(options_to_json(options))


def assertion_of(credential: Json) -> Assertion:
    """Reads an assertion; raises PasskeyRefused if it is none."""
    try:
        parsed = parse_authentication_credential_json(dict(credential))
        data = parse_client_data_json(parsed.response.client_data_json)
        return Assertion(UUID(bytes=parsed.response.user_handle or b""), parsed, data.challenge)
    except _MALFORMED as error:
        raise refused() from error


async def prove(tx: Transaction, keyring: Keyring, party: Party, given: Assertion) -> None:
    """Verifies an assertion of the scope's member and notes its use; raises PasskeyRefused."""
    await _answer(tx, keyring, given.challenge, _SIGN_IN, refused())
    passkeys = Passkeys(tx, given.member_id)
    row = await passkeys.by_credential(given.credential.raw_id)
    if row is None:
        raise refused()
    try:
        verified = webauthn.verify_authentication_response(
            credential=given.credential,
            expected_challenge=given.challenge,
            expected_rp_id=party.id,
            expected_origin=list(party.origins),
            credential_public_key=row.public_key,
            credential_current_sign_count=row.sign_count,
            require_user_verification=True,
        )
    except _MALFORMED as error:
        raise refused() from error
    if not await passkeys.use(row.id, verified.new_sign_count, tx.now):
        raise refused()


def refused() -> PasskeyRefused:
    """Answers the one error for every assertion that proves nothing."""
    return PasskeyRefused("The passkey does not sign in.")


def invalid() -> PasskeyInvalid:
    """Answers the one error for every new passkey that cannot be taken."""
    return PasskeyInvalid("The answer of the authenticator is not valid; begin anew.", field="credential")


async def _answer(
    tx: Transaction,
    keyring: Keyring,
    challenge: bytes,
    purpose: str,
    refusal: PasskeyRefused | PasskeyInvalid,
) -> None:
    """Uses a challenge of ours, once; raises the refusal for any other."""
    expires = webauthn_challenges.expiry(keyring, challenge, purpose, tx.now)
    if expires is None or not await answer_challenge(tx, webauthn_challenges.digest(challenge), expires):
        raise refusal


def _made(credential: Json) -> tuple[RegistrationCredential, bytes]:
    try:
        parsed = parse_registration_credential_json(dict(credential))
        return parsed, parse_client_data_json(parsed.response.client_data_json).challenge
    except _MALFORMED as error:
        raise invalid() from error


def _registration_of(member_id: UUID) -> str:
    return f"registration {member_id}"


def name_of(key: DataKey, passkey_id: UUID, sealed: bytes) -> str:
    """Decrypts what a passkey of the key's owner is called."""
    return key.decrypt(sealed, key.owner_id, passkey_id, _NAME).decode()


def _json(text: str) -> Json:
    found: Json = json.loads(text)
    return found

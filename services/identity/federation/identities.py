"""Identities at other providers: linking them to a member, listing and unlinking them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from chassis.crypto import DataKey, Keyring
from chassis.database import Snapshot, Transaction
from services.identity.errors import IdentityNotFound, IdentityTaken
from services.identity.factors import notices, ways
from services.identity.factors.notices import Change
from services.identity.federation.oidc.client import Asserted
from services.identity.federation.oidc.providers import Provider
from services.identity.mail.post import Post
from services.identity.models import FederatedIdentity
from services.identity.store import Identities

_PURPOSE = "federated"
"""The purpose of the keyed hash by which an identity is found."""
_SUBJECT = "subject"
_EMAIL = "email"
"""The context that binds a ciphertext to its column."""


def subject_hash(keyring: Keyring, provider: Provider, asserted: Asserted) -> bytes:
    """Answers what makes an identity one: the subject at its issuer, apart for each enterprise's provider."""
    return keyring.lookup(_PURPOSE, f"{provider.realm}\n{asserted.issuer}\n{asserted.subject}")


async def link(
    tx: Transaction,
    keyring: Keyring,
    post: Post | None,
    member_id: UUID,
    provider: Provider,
    asserted: Asserted,
) -> FederatedIdentity:
    """Links an identity to the scope's member; raises IdentityTaken if another member has it.

    Linking what is linked changes nothing. The member is told by mail, but for who registers by it (no post).
    """
    found = subject_hash(keyring, provider, asserted)
    identities = Identities(tx)
    known = await identities.by_subject(found)
    if known is not None:
        return known
    key = await keyring.key(tx, member_id)
    identity = FederatedIdentity(
        member_id=member_id,
        id=tx.clock.new_id(),
        provider_id=provider.id,
        tenant_id=provider.tenant_id,
        issuer=asserted.issuer,
        create_time=tx.now,
    )
    identity.subject = key.encrypt(asserted.subject.encode(), member_id, identity.id, _SUBJECT)
    identity.email = key.encrypt(asserted.email.encode(), member_id, identity.id, _EMAIL)
    tx.session.add(identity)
    await tx.session.flush()
    if not await identities.claim(found, member_id, identity.id):
        raise IdentityTaken("Another member signs in by this identity.")
    await notices.changed(
        tx, keyring, post, member_id, Change.IDENTITY_LINKED, identity.id, issuer=asserted.issuer
    )
    return identity


async def unlink(tx: Transaction, keyring: Keyring, post: Post, member_id: UUID, identity_id: UUID) -> None:
    """Unlinks an identity of the scope's member and tells them; raises IdentityNotFound, LastWayToSignIn."""
    await ways.lock(tx, member_id)
    if not await Identities(tx).delete(member_id, identity_id):
        raise IdentityNotFound("The identity does not exist.", field="identity_id")
    await ways.require_one(tx, member_id)
    await notices.changed(tx, keyring, post, member_id, Change.IDENTITY_UNLINKED, identity_id)


async def newest(
    snapshot: Snapshot, keyring: Keyring, member_id: UUID, before: tuple[datetime, UUID] | None, most: int
) -> Sequence[tuple[FederatedIdentity, str]]:
    """Answers the identities of the scope's member with their addresses, the newest first."""
    rows = await Identities(snapshot).newest(member_id, before, most)
    key = await keyring.key(snapshot, member_id)
    return [(row, opened(key, row.id, row.subject, row.email)[1]) for row in rows]


def opened(key: DataKey, identity_id: UUID, subject: bytes, email: bytes) -> tuple[str, str]:
    """Decrypts the subject and the address of an identity of the key's owner."""
    return (
        key.decrypt(subject, key.owner_id, identity_id, _SUBJECT).decode(),
        key.decrypt(email, key.owner_id, identity_id, _EMAIL).decode(),
    )

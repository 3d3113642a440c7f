"""Credentials of enterprises and of the platform: exchanged for tokens by a secret, or sent as API keys."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from chassis.access.scopes import SCOPES
from chassis.auth import api_keys
from chassis.auth.tokens import AccessToken
from chassis.database import Database, Scope, Transaction
from services.identity import bearers, events
from services.identity.credentials.signing import Signer
from services.identity.credentials.standings import Standings
from services.identity.credentials.uses import LastUses
from services.identity.errors import (
    ApiKeyNotFound,
    CredentialEnded,
    CredentialNotFound,
    CredentialRefused,
    ExpiryPast,
    ScopeUnknown,
    SecretRotationUnderWay,
)
from services.identity.models import CredentialKind, ServiceCredential
from services.identity.store import Credentials, Principals

OVERLAP = timedelta(hours=24)
"""How long the old secret stays good after a rotation, unless another time is asked for."""
ENDING = 4
"""How many of the last characters of an API key its owner is shown."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A credential to be made."""

    tenant_id: UUID
    display_name: str
    scopes: Sequence[str]
    expire_time: datetime | None = None


async def create(tx: Transaction, wanted: Wanted) -> tuple[ServiceCredential, str]:
    """Adds a credential of the tenant, and answers it with its secret, which is kept as a hash alone.

    Raises ScopeUnknown and ExpiryPast, as `create_key` does.
    """
    secret = bearers.SECRET + tx.clock.secret(32)
    return await _add(tx, wanted, tx.clock.new_id(), CredentialKind.CREDENTIAL, secret), secret


async def create_key(tx: Transaction, wanted: Wanted) -> tuple[ServiceCredential, str]:
    """Adds an API key of the enterprise, and answers it with its text, which is kept as a hash alone."""
    credential_id = tx.clock.new_id()
    text = api_keys.of_enterprise(credential_id, tx.clock)
    return await _add(tx, wanted, credential_id, CredentialKind.API_KEY, text), text


async def revoke(
    tx: Transaction,
    tenant_id: UUID,
    credential_id: UUID,
    kind: CredentialKind = CredentialKind.CREDENTIAL,
) -> ServiceCredential:
    """Revokes a credential or key of the tenant, once; raises CredentialNotFound or ApiKeyNotFound."""
    credentials = Credentials(tx, tenant_id, kind)
    revoked = await credentials.revoke(credential_id, tx.now)
    if revoked is not None:
        events.credential_revoked(tx, credential_id, revoked.version)
        tx.audit("credential.revoked", tenant_id=tenant_id, target_id=credential_id, kind=kind)
        return revoked
    found = await credentials.get(credential_id)
    if found is None:
        raise not_found(kind)
    return found


async def rename(tx: Transaction, tenant_id: UUID, credential_id: UUID, name: str) -> ServiceCredential:
    """Gives a credential another name; raises CredentialNotFound."""
    renamed = await Credentials(tx, tenant_id).rename(credential_id, name)
    if renamed is None:
        raise not_found(CredentialKind.CREDENTIAL)
    tx.audit("credential.renamed", tenant_id=tenant_id, target_id=credential_id)
    return renamed


async def rotate(
    tx: Transaction, tenant_id: UUID, credential_id: UUID, overlap: timedelta
) -> tuple[ServiceCredential, str]:
    """Gives a credential a new secret; the one before stays good for `overlap`, and none does if that is 0.

    Raises CredentialNotFound, CredentialEnded, and SecretRotationUnderWay while two secrets are good.
    """
    credential = await Credentials(tx, tenant_id).lock(credential_id)
    if credential is None:
        raise not_found(CredentialKind.CREDENTIAL)
    if credential.revoke_time is not None or _reached(credential.expire_time, tx.now):
        raise CredentialEnded("The credential was revoked or has expired; create another one.")
    old_until = credential.old_secret_expire_time
    if overlap and old_until is not None and old_until > tx.now:
        raise SecretRotationUnderWay(
            "The secret before the last rotation is still good; wait, or rotate with an overlap of zero.",
            expire_time=old_until.isoformat(),
        )
    secret = bearers.SECRET + tx.clock.secret(32)
    credential.old_secret_hash = credential.secret_hash if overlap else None
    credential.old_secret_expire_time = tx.now + overlap if overlap else None
    credential.secret_hash = bearers.digest(secret)
    credential.version += 1
    await tx.session.flush()
    overlapping = int(overlap.total_seconds())
    tx.audit("credential.rotated", tenant_id=tenant_id, target_id=credential_id, overlap_seconds=overlapping)
    return credential, secret


async def issue_token(
    db: Database, signer: Signer, uses: LastUses, standings: Standings, credential_id: UUID, secret: str
) -> tuple[str, datetime]:
    """Exchanges a credential for an access token and its end.

    Raises CredentialRefused for any other, RightsUnavailable if nobody tells whether its enterprise stands.
    """
    async with db.snapshot(scope_of(credential_id)) as snapshot:
        credential = await Principals(snapshot).credential(credential_id)
        now = snapshot.now
    opens = _opens(credential, bearers.digest(secret), now)
    if credential is None or not opens or not await standings.confirmed(credential.tenant_id):
        raise CredentialRefused("The credential is not valid.")
    uses.tell(credential, now)
    return await signer.issue(AccessToken(credential_id=credential_id))


def scope_of(credential_id: UUID) -> Scope:
    """Answers the scope in which a credential sees itself, whatever its tenant, as a member does."""
    return Scope.of(member_id=credential_id)


def check_expiry(expire_time: datetime | None, now: datetime) -> None:
    """Raises ExpiryPast unless the moment, if any, is to come."""
    if _reached(expire_time, now):
        raise ExpiryPast("The expiry must be in the future.", field="expire_time")


def not_found(kind: CredentialKind) -> CredentialNotFound | ApiKeyNotFound:
    """Answers the one error for what does not exist and for what belongs to others."""
    if kind is CredentialKind.API_KEY:
        return ApiKeyNotFound("The API key does not exist.", field="api_key_id")
    return CredentialNotFound("The credential does not exist.", field="credential_id")


async def _add(
    tx: Transaction, wanted: Wanted, credential_id: UUID, kind: CredentialKind, text: str
) -> ServiceCredential:
    unknown = [scope for scope in wanted.scopes if scope not in SCOPES]
    if unknown:
        raise ScopeUnknown(f"The scopes are {', '.join(SCOPES)}.", field="scopes")
    check_expiry(wanted.expire_time, tx.now)
    credential = ServiceCredential(
        tenant_id=wanted.tenant_id,
        id=credential_id,
        kind=kind,
        display_name=wanted.display_name,
        scopes=list(wanted.scopes),
        secret_hash=bearers.digest(text),
        ending=text[-ENDING:] if kind is CredentialKind.API_KEY else "",
        version=1,
        create_time=tx.now,
        expire_time=wanted.expire_time,
    )
    tx.session.add(credential)
    await tx.session.flush()
    tx.audit(
        "credential.created",
        tenant_id=wanted.tenant_id,
        target_id=credential_id,
        kind=kind,
        scopes=" ".join(wanted.scopes),
    )
    return credential


def _opens(credential: ServiceCredential | None, digest: bytes, now: datetime) -> bool:
    """Compares with both secrets, of which there may be none, so that the time taken tells nothing."""
    current = old = bytes(32)
    if credential is not None and credential.kind == CredentialKind.CREDENTIAL:
        current = credential.secret_hash
        if not _reached(credential.old_secret_expire_time, now):
            old = credential.old_secret_hash or old
    matches = [hmac.compare_digest(kept, digest) for kept in (current, old)]
    return any(matches)


def _reached(moment: datetime | None, now: datetime) -> bool:
    return moment is not None and moment <= now

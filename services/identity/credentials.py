"""Service credentials: how websocket servers and other programs prove who they are."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from chassis.auth.tokens import AccessToken
from chassis.database import Database, Scope, Transaction
from services.identity import bearers, events
from services.identity.errors import CredentialNotFound, CredentialRefused
from services.identity.models import ServiceCredential
from services.identity.signing import Signer
from services.identity.store import Credentials, Principals

SCOPES = ("sessions.record",)
"""What credentials may be made for; the same list as in the proto."""


async def create(
    tx: Transaction, tenant_id: UUID, display_name: str, scopes: Sequence[str]
) -> tuple[ServiceCredential, str]:
    """Adds a credential of the tenant, and answers it with its secret, which is kept as a hash alone."""
    secret = bearers.SECRET + tx.clock.secret(32)
    credential = ServiceCredential(
        tenant_id=tenant_id,
        id=tx.clock.new_id(),
        display_name=display_name,
        scopes=list(scopes),
        secret_hash=bearers.digest(secret),
        version=1,
        create_time=tx.now,
    )
    tx.session.add(credential)
    await tx.session.flush()
    return credential, secret


async def revoke(tx: Transaction, tenant_id: UUID, credential_id: UUID) -> ServiceCredential:
    """Revokes a credential of the tenant, once; raises CredentialNotFound if the tenant has none such."""
    credentials = Credentials(tx, tenant_id)
    revoked = await credentials.revoke(credential_id, tx.now)
    if revoked is not None:
        events.credential_revoked(tx, credential_id, revoked.version)
        return revoked
    found = await credentials.get(credential_id)
    if found is None:
        raise CredentialNotFound("The credential does not exist.", field="credential_id")
    return found


async def issue_token(db: Database, signer: Signer, credential_id: UUID, secret: str) -> tuple[str, datetime]:
    """Exchanges a credential for an access token and its end; raises CredentialRefused for any other."""
    async with db.snapshot(scope_of(credential_id)) as snapshot:
        credential = await Principals(snapshot).credential(credential_id)
    kept = credential.secret_hash if credential is not None else bytes(32)
    if not hmac.compare_digest(kept, bearers.digest(secret)) or credential is None:
        raise CredentialRefused("The credential is not valid.")
    return await signer.issue(AccessToken(credential_id=credential_id))


def scope_of(credential_id: UUID) -> Scope:
    """Answers the scope in which a credential sees itself, whatever its tenant, as a member does."""
    return Scope.of(member_id=credential_id)

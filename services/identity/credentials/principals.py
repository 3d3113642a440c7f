"""What the tokens of a principal may do at this moment: one query, under the principal's own scope."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from typing import cast
from uuid import UUID

from chassis.database import Database, Scope
from services.identity.credentials.credentials import scope_of
from services.identity.credentials.standings import Standings
from services.identity.credentials.uses import LastUses
from services.identity.logins import policies
from services.identity.models import PLATFORM, CredentialKind, ServiceCredential
from services.identity.store import Principals
from wrtn.access.v1.access_pb2 import StaffRight
from wrtn.identity.v1.principals_pb2 import Principal, ResolvePrincipalRequest

_INACTIVE = Principal()


class Resolver:
    """Resolves principals."""

    def __init__(self, db: Database, uses: LastUses, standings: Standings) -> None:
        self._db = db
        self._uses = uses
        self._standings = standings

    async def resolve(self, request: ResolvePrincipalRequest) -> Principal:
        """Answers the principal; one that may not act, or that nobody knows, is not active.

        Raises RightsUnavailable for a key or credential of an enterprise of which it cannot be told.
        """
        match request.WhichOneof("subject"):
            case "credential_id":
                return await self._credential(UUID(request.credential_id), None)
            case "api_key" if not request.api_key.member:
                asked = request.api_key
                return await self._credential(UUID(asked.principal_id), asked.key_hash)
            case "api_key":
                asked = request.api_key
                return await self._member_key(UUID(asked.principal_id), key_hash=asked.key_hash)
        return await self._member(request.member)

    async def _member(self, asked: ResolvePrincipalRequest.MemberLogin) -> Principal:
        member_id = UUID(asked.member_id)
        login_id = UUID(asked.login_id) if asked.login_id else None
        account_id = UUID(asked.account_id) if asked.account_id else None
        async with self._db.snapshot(Scope.of(member_id=member_id)) as snapshot:
            found = await Principals(snapshot).member(member_id, login_id, account_id)
            now = snapshot.now
        if found is None:
            return _INACTIVE
        staff_right, good_login, tenant_id, policy = found
        if login_id is not None and good_login is None:
            principal = await self._member_key(member_id, key_id=login_id)
            return principal if asked.account_id in ("", principal.account_id) else _INACTIVE
        if account_id is not None and tenant_id is None:
            return _INACTIVE
        refusal = policies.refusal_of(policy, good_login, now) if good_login is not None else policies.NONE
        return Principal(
            active=not refusal,
            tenant_id=str(tenant_id or ""),
            staff_right=cast("StaffRight.ValueType", staff_right),
            allowed_ranges=policy.allowed_ranges if policy is not None else (),
            refusal=refusal,
        )

    async def _member_key(
        self, member_id: UUID, *, key_id: UUID | None = None, key_hash: bytes | None = None
    ) -> Principal:
        """Judges member, holding and key together. Staff rights never come through a key."""
        async with self._db.snapshot(Scope.of(member_id=member_id)) as snapshot:
            found = await Principals(snapshot).member_key(member_id, key_id=key_id, key_hash=key_hash)
            now = snapshot.now
        if found is None:
            return _INACTIVE
        key, tenant_id, ranges = found
        if tenant_id != key.account_id and not await self._standings.confirmed(tenant_id):
            return _INACTIVE
        self._uses.tell(key, now)
        return Principal(
            active=True,
            tenant_id=str(tenant_id),
            scopes=key.scopes,
            account_id=str(key.account_id),
            api_key_id=str(key.id),
            allowed_ranges=ranges or (),
        )

    async def _credential(self, credential_id: UUID, key_hash: bytes | None) -> Principal:
        """Answers a credential, or if a hash is given the API key that has it."""
        async with self._db.snapshot(scope_of(credential_id)) as snapshot:
            found = await Principals(snapshot).credential(credential_id)
            now = snapshot.now
        if found is None or not (key_hash is None or _is_key(found, key_hash)):
            return _INACTIVE
        if not await self._standings.confirmed(found.tenant_id):
            return _INACTIVE
        self._uses.tell(found, now)
        tenant = "" if found.tenant_id == PLATFORM else str(found.tenant_id)
        ranges = await self._ranges(found) if found.kind == CredentialKind.API_KEY else ()
        return Principal(active=True, tenant_id=tenant, scopes=found.scopes, allowed_ranges=ranges)

    async def _ranges(self, found: ServiceCredential) -> Sequence[str]:
        """Answers from where an enterprise's key may be used."""
        async with self._db.snapshot(Scope.of(found.tenant_id)) as snapshot:
            return (await policies.get(snapshot, found.tenant_id)).allowed_ranges


def _is_key(found: ServiceCredential, key_hash: bytes) -> bool:
    return found.kind == CredentialKind.API_KEY and hmac.compare_digest(found.secret_hash, key_hash)

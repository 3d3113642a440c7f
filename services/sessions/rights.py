"""What the holder of a connection may do at this moment, and whose usage it is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol
from uuid import UUID

from chassis.access.employment import AccessCache
from chassis.access.principals import Principals
from chassis.auth.tokens import AccessToken
from chassis.call import Access
from services.sessions.attributions import Pinned, pin
from services.sessions.authority import Holder
from services.sessions.errors import ModelNotGranted, NotGranted, ProcedureNotGranted, RightRevoked

_MODEL = "model:"
_PROCEDURE = "procedure:"


class Needs(Protocol):
    """A session, there or to be opened."""

    @property
    def model(self) -> str:
        """Its model; empty if it has none."""

    @property
    def procedure_id(self) -> UUID | None:
        """Its procedure."""


def resources_of(session: Needs) -> tuple[str, ...]:
    """Answers what enterprise has to grant for a session: its procedure, its model, or both."""
    procedure = (f"{_PROCEDURE}{session.procedure_id}",) if session.procedure_id is not None else ()
    return (*procedure, f"{_MODEL}{session.model}") if session.model else procedure


class Rights:
    """Asks identity and enterprise, through their caches unless the answer has to be fresh."""

    def __init__(self, principals: Principals, access: AccessCache) -> None:
        self._principals = principals
        self._access = access

    async def check_credential(self, credential_id: UUID, *, fresh: bool = False) -> None:
        """Raises RightRevoked if the credential was revoked, Unavailable if that cannot be known."""
        if await self._principals.resolve(AccessToken(credential_id=credential_id), fresh=fresh) is None:
            raise RightRevoked

    async def attribution(self, holder: Holder, resources: Iterable[str], *, fresh: bool = False) -> Pinned:
        """Answers the attribution of the holder's usage of these resources.

        Raises NotGranted if the enterprise denies one of them on the holder's team; RightRevoked if the
        login ended, the account is held by another or no longer of the tenant, or its holder is no longer
        employed; Unavailable if that cannot be known.
        """
        token = AccessToken(holder.member_id, holder.login_id, holder.account_id)
        caller = await self._principals.resolve(token, fresh=fresh)
        if caller is None or caller.tenant_id != holder.tenant_id:
            raise RightRevoked
        access = None
        if not holder.personal:
            access = await self._granted(holder, resources, fresh)
        return pin(
            tenant_id=holder.tenant_id,
            account_id=holder.account_id,
            member_id=holder.member_id,
            team_id=holder.team_id,
            access=access,
        )

    async def check_model(self, holder: Holder, model: str) -> None:
        """Raises ModelNotGranted if the enterprise denies the model on the holder's team, or RightRevoked."""
        if not holder.personal:
            await self._granted(holder, [f"{_MODEL}{model}"], fresh=False)

    async def _granted(self, holder: Holder, resources: Iterable[str], fresh: bool) -> Access:
        access, denied = await asked(self._access, holder, resources, fresh=fresh)
        if access is None:
            raise RightRevoked
        if denied is not None:
            raise denied
        return access


async def asked(
    access: AccessCache, holder: Holder, resources: Iterable[str], *, fresh: bool = False
) -> tuple[Access | None, NotGranted | None]:
    """Answers who the holder is in enterprise and team, None if nobody; and what is denied there, if any."""
    found = None
    for resource in resources:
        found = await access.resolve(
            holder.tenant_id,
            holder.account_id,
            holder.team_id,
            member_id=holder.member_id,
            resource=resource,
            fresh=fresh,
        )
        if found is None or not found.granted:
            return found, ProcedureNotGranted() if resource.startswith(_PROCEDURE) else ModelNotGranted()
    return found, None

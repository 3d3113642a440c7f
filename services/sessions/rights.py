"""What the holder of a connection may do at this moment, and whose usage it is."""

from __future__ import annotations

from uuid import UUID

from chassis.access.employment import AccessCache
from chassis.access.principals import Principals
from chassis.auth.tokens import AccessToken
from services.sessions.attributions import Pinned, pin
from services.sessions.authority import Holder
from services.sessions.errors import ModelNotGranted, RightRevoked


def resource_of(model: str) -> str:
    """Answers the resource that enterprise grants or denies, for a model."""
    return f"model:{model}"


class Rights:
    """Asks identity and enterprise, through their caches unless the answer has to be fresh."""

    def __init__(self, principals: Principals, access: AccessCache) -> None:
        self._principals = principals
        self._access = access

    async def check_credential(self, credential_id: UUID, *, fresh: bool = False) -> None:
        """Raises RightRevoked if the credential was revoked, Unavailable if that cannot be known."""
        if await self._principals.resolve(AccessToken(credential_id=credential_id), fresh=fresh) is None:
            raise RightRevoked

    async def attribution(self, holder: Holder, model: str, *, fresh: bool = False) -> Pinned:
        """Answers the attribution of the holder's usage of the model.

        Raises ModelNotGranted if the enterprise denies the model on the holder's team; RightRevoked if the
        login ended, the account is held by another or no longer of the tenant, or its holder is no longer
        employed; Unavailable if that cannot be known.
        """
        token = AccessToken(holder.member_id, holder.login_id, holder.account_id)
        caller = await self._principals.resolve(token, fresh=fresh)
        if caller is None or caller.tenant_id != holder.tenant_id:
            raise RightRevoked
        access = None
        if not holder.personal:
            access = await self._access.resolve(
                holder.tenant_id,
                holder.account_id,
                holder.team_id,
                member_id=holder.member_id,
                resource=resource_of(model),
                fresh=fresh,
            )
            if access is None:
                raise RightRevoked
            if not access.granted:
                raise ModelNotGranted
        return pin(
            tenant_id=holder.tenant_id,
            account_id=holder.account_id,
            member_id=holder.member_id,
            team_id=holder.team_id,
            access=access,
        )

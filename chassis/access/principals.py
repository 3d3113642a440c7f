"""What the holder of a token is at this moment, as identity says, behind a cache that events invalidate."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator
from uuid import UUID

from chassis.access.cache import AnswerCache
from chassis.auth.tokens import AccessToken
from chassis.call import Caller, CallerKind
from wrtn.identity.v1.principals_pb2 import Principal, ResolvePrincipalRequest

PrincipalSource = Callable[[ResolvePrincipalRequest], Awaitable[Principal]]


class Principals:
    """Resolves tokens to callers. A kept answer is good for `ttl` seconds at most."""

    def __init__(self, source: PrincipalSource, *, ttl: float = 5, most: int = 50_000) -> None:
        self._source = source
        self._cache = AnswerCache(self._ask, _names, ttl=ttl, most=most)

    def cached(self, token: AccessToken) -> Caller | None:
        """Answers the caller if it is known to be active without asking."""
        found = self._cache.get(token)
        return found[1] if found is not None else None

    async def resolve(self, token: AccessToken, *, fresh: bool = False) -> Caller | None:
        """Answers the caller, or None if the principal may not act; raises what the source raises."""
        return await self._cache.resolve(token, fresh=fresh)

    def drop(self, ids: Iterable[UUID]) -> None:
        """Forgets what is known of these members, logins, accounts and credentials."""
        self._cache.drop(ids)

    def clear(self) -> None:
        """Forgets everything."""
        self._cache.clear()

    async def _ask(self, token: AccessToken) -> Caller | None:
        principal = await self._source(_request(token))
        return _caller(token, principal) if principal.active else None


def _names(token: AccessToken) -> Iterator[UUID]:
    for each in (token.member_id, token.login_id, token.account_id, token.credential_id):
        if each is not None:
            yield each


def _request(token: AccessToken) -> ResolvePrincipalRequest:
    if token.credential_id is not None:
        return ResolvePrincipalRequest(credential_id=str(token.credential_id))
    member = ResolvePrincipalRequest.MemberLogin(
        member_id=_text(token.member_id), login_id=_text(token.login_id), account_id=_text(token.account_id)
    )
    return ResolvePrincipalRequest(member=member)


def _caller(token: AccessToken, principal: Principal) -> Caller:
    tenant_id = UUID(principal.tenant_id) if principal.tenant_id else None
    if token.credential_id is not None:
        return Caller(
            CallerKind.SERVICE,
            credential_id=token.credential_id,
            tenant_id=tenant_id,
            scopes=frozenset(principal.scopes),
        )
    return Caller(
        CallerKind.MEMBER,
        member_id=token.member_id,
        login_id=token.login_id,
        account_id=token.account_id,
        tenant_id=tenant_id,
        staff=principal.staff_right,
    )


def _text(id_: UUID | None) -> str:
    return str(id_) if id_ is not None else ""

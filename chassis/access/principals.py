"""What the holder of a token or key is at this moment, as identity says, behind a cache that events drop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator
from uuid import UUID

from chassis.access.cache import AnswerCache
from chassis.access.policy import Refused
from chassis.auth.api_keys import ApiKey
from chassis.auth.tokens import AccessToken
from chassis.call import Caller, CallerKind
from chassis.rpc.origins import Network, networks
from wrtn.identity.v1.principals_pb2 import Principal, ResolvePrincipalRequest

Bearer = AccessToken | ApiKey
PrincipalSource = Callable[[ResolvePrincipalRequest], Awaitable[Principal]]


class Principals:
    """Resolves tokens to callers. A kept answer is good for `ttl` seconds at most."""

    def __init__(self, source: PrincipalSource, *, ttl: float = 5, most: int = 50_000) -> None:
        self._source = source
        self._cache = AnswerCache(self._ask, _names, ttl=ttl, most=most)

    def cached(self, token: Bearer) -> Caller | None:
        """Answers the caller if it is known without asking that it may act."""
        found = self._cache.get(token)
        return found[1] if found is not None and isinstance(found[1], Caller) else None

    async def resolve(self, token: Bearer, *, fresh: bool = False) -> Caller | None:
        """Answers the caller, or None if the principal may not act; raises what the source raises.

        None too for a sign-in that does not suffice for the enterprise; `judge` tells why.
        """
        found = await self.judge(token, fresh=fresh)
        return found if isinstance(found, Caller) else None

    async def judge(self, token: Bearer, *, fresh: bool = False) -> Caller | Refused | None:
        """Answers the caller, or what the enterprise misses in the sign-in; None for who may not act."""
        return await self._cache.resolve(token, fresh=fresh)

    def drop(self, ids: Iterable[UUID]) -> None:
        """Forgets what is known of these members, logins, accounts and credentials."""
        self._cache.drop(ids)

    def drop_tenants(self, ids: Iterable[UUID]) -> None:
        """Forgets what is known of whoever acts in these tenants."""
        tenants = frozenset(ids)
        self._cache.drop_where(lambda answer: _tenant_of(answer) in tenants)

    def clear(self) -> None:
        """Forgets everything."""
        self._cache.clear()

    async def _ask(self, token: Bearer) -> Caller | Refused | None:
        principal = await self._source(_request(token))
        if principal.active:
            return _caller(token, principal)
        return Refused(_caller(token, principal), principal.refusal) if principal.refusal else None


def _tenant_of(answer: Caller | Refused | None) -> UUID | None:
    caller = answer.caller if isinstance(answer, Refused) else answer
    return caller.tenant_id if caller is not None else None


def _names(token: Bearer) -> Iterator[UUID]:
    if isinstance(token, ApiKey):
        yield token.principal_id
        return
    for each in (token.member_id, token.login_id, token.account_id, token.credential_id):
        if each is not None:
            yield each


def _request(token: Bearer) -> ResolvePrincipalRequest:
    if isinstance(token, ApiKey):
        presented = ResolvePrincipalRequest.PresentedKey(
            principal_id=str(token.principal_id), member=token.member, key_hash=token.key_hash
        )
        return ResolvePrincipalRequest(api_key=presented)
    if token.credential_id is not None:
        return ResolvePrincipalRequest(credential_id=str(token.credential_id))
    member = ResolvePrincipalRequest.MemberLogin(
        member_id=_text(token.member_id), login_id=_text(token.login_id), account_id=_text(token.account_id)
    )
    return ResolvePrincipalRequest(member=member)


def _caller(token: Bearer, principal: Principal) -> Caller:
    if isinstance(token, ApiKey) and token.member:
        # From here on the key is the member's login: whoever asks again about the login asks about the key.
        token = AccessToken(token.principal_id, UUID(principal.api_key_id), UUID(principal.account_id))
    credential_id = token.principal_id if isinstance(token, ApiKey) else token.credential_id
    tenant_id = UUID(principal.tenant_id) if principal.tenant_id else None
    if isinstance(token, ApiKey) or credential_id is not None:
        return Caller(
            CallerKind.SERVICE,
            credential_id=credential_id,
            tenant_id=tenant_id,
            scopes=frozenset(principal.scopes),
            networks=_networks(principal),
        )
    return Caller(
        CallerKind.MEMBER,
        member_id=token.member_id,
        login_id=token.login_id,
        account_id=token.account_id,
        tenant_id=tenant_id,
        staff=0 if principal.api_key_id else principal.staff_right,
        scopes=frozenset(principal.scopes),
        api_key=bool(principal.api_key_id),
        networks=_networks(principal),
    )


def _networks(principal: Principal) -> tuple[Network, ...]:
    return tuple(network for each in principal.allowed_ranges for network in networks(each))


def _text(id_: UUID | None) -> str:
    return str(id_) if id_ is not None else ""

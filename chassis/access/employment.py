"""What an account is in its enterprise at this moment, behind a cache that events invalidate."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator
from uuid import UUID

from chassis.access.cache import AnswerCache
from chassis.call import Access, TeamPlace
from wrtn.enterprise.v1 import access_pb2
from wrtn.enterprise.v1.access_pb2 import ResolveAccessRequest

AccessSource = Callable[[ResolveAccessRequest], Awaitable[access_pb2.Access]]

_Key = tuple[UUID, UUID, UUID | None, UUID | None, str]
"""Enterprise, account, where known the team and the holder, and the resource that is to be used."""


class AccessCache:
    """Resolves accounts to their access. A kept answer is good for `ttl` seconds at most."""

    def __init__(self, source: AccessSource, *, ttl: float = 5, most: int = 50_000) -> None:
        self._source = source
        self._cache: AnswerCache[_Key, Access | None] = AnswerCache(
            self._ask, _asked_about, learned=_told_about, ttl=ttl, most=most, good_for=_good_for
        )

    async def resolve(
        self,
        enterprise_id: UUID,
        account_id: UUID,
        team_id: UUID | None = None,
        *,
        member_id: UUID | None = None,
        resource: str = "",
        fresh: bool = False,
    ) -> Access | None:
        """Answers who the account is in the enterprise, and in the team if one is named; None if nobody.

        `member_id` is who holds the account, as identity says: an inherited account has its holder's rights.
        `resource` is a thing to be used, as in "model:openai/gpt-4.1": `granted` then says whether it may be.
        `fresh` asks in any case: for appointments, transfers, money and the reading of another's content.
        """
        return await self._cache.resolve(
            (enterprise_id, account_id, team_id, member_id, resource), fresh=fresh
        )

    def drop(self, ids: Iterable[UUID]) -> None:
        """Forgets what is known of these enterprises, accounts, members, employees, and below these teams."""
        self._cache.drop(ids)

    def clear(self) -> None:
        """Forgets everything."""
        self._cache.clear()

    async def _ask(self, key: _Key) -> Access | None:
        enterprise_id, account_id, team_id, member_id, resource = key
        request = ResolveAccessRequest(
            enterprise_id=str(enterprise_id),
            account_id=str(account_id),
            team_id=str(team_id) if team_id is not None else "",
            member_id=str(member_id) if member_id is not None else "",
            resource=resource,
        )
        return _access(enterprise_id, await self._source(request))


def _asked_about(key: _Key) -> Iterator[UUID]:
    enterprise_id, account_id, team_id, member_id, _ = key
    yield from (enterprise_id, account_id)
    yield from (each for each in (team_id, member_id) if each is not None)


def _told_about(answer: Access | None) -> Iterator[UUID]:
    if answer is not None:
        yield from (answer.employee_id, answer.member_id)
        if answer.team is not None:
            yield from answer.team.ancestor_ids


def _access(enterprise_id: UUID, answer: access_pb2.Access) -> Access | None:
    if not answer.title:
        return None
    return Access(
        enterprise_id=enterprise_id,
        employee_id=UUID(answer.employee_id),
        member_id=UUID(answer.member_id),
        title=answer.title,
        roles={UUID(each.team_id): each.role for each in answer.teams},
        team=_place(answer.team) if answer.HasField("team") else None,
        duties=frozenset(answer.duties),
        granted=answer.granted,
        content_readable=answer.content_readable,
        good_for=answer.good_for.ToNanoseconds() / 1e9 if answer.HasField("good_for") else None,
    )


def _good_for(access: Access | None) -> float | None:
    return access.good_for if access is not None else None


def _place(team: access_pb2.TeamPlace) -> TeamPlace:
    return TeamPlace(UUID(team.team_id), tuple(map(UUID, team.ancestor_ids)), team.role, team.companion)

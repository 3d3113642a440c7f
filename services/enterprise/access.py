"""Who an account is in an enterprise: the question of every service, our own interceptor included."""

from __future__ import annotations

from uuid import UUID

from chassis.access.employment import AccessSource
from chassis.database import Database, Scope
from services.enterprise import convert
from services.enterprise.store import Rights
from wrtn.enterprise.v1.access_pb2 import Access, ResolveAccessRequest


def source(database: Database) -> AccessSource:
    """Answers the function that resolves an account's access from the tables."""

    async def resolve(request: ResolveAccessRequest) -> Access:
        enterprise_id = UUID(request.enterprise_id)
        team_id = UUID(request.team_id) if request.team_id else None
        async with database.snapshot(Scope.of(enterprise_id)) as tx:
            rights = Rights(tx, enterprise_id)
            if request.member_id:
                return convert.access(await rights.of_member(UUID(request.member_id), team_id))
            return convert.access(await rights.of(UUID(request.account_id), team_id))

    return resolve

"""Who an account is in an enterprise: the question of every service, our own interceptor included."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from chassis import call
from chassis.access.employment import AccessSource
from chassis.database import Database, Scope, Snapshot
from services.enterprise import convert, granting
from services.enterprise.store import Grants, Rights
from wrtn.enterprise.v1.access_pb2 import Access, ResolveAccessRequest


def source(database: Database) -> AccessSource:
    """Answers the function that resolves an account's access from the tables."""

    async def resolve(request: ResolveAccessRequest) -> Access:
        enterprise_id = UUID(request.enterprise_id)
        team_id = UUID(request.team_id) if request.team_id else None
        async with database.snapshot(Scope.of(enterprise_id)) as tx:
            rights = Rights(tx, enterprise_id)
            if request.member_id:
                found = await rights.of_member(UUID(request.member_id), team_id)
            else:
                found = await rights.of(UUID(request.account_id), team_id)
            if found is not None and request.resource and (team_id is None or found.team is not None):
                decision = await decided(tx, found, request.resource)
                found = replace(found, granted=decision.allowed)
            return convert.access(found)

    return resolve


async def decided(tx: Snapshot, found: call.Access, resource: str) -> granting.Decision:
    """Decides whether the resource may be used on the team that the access was resolved for, else on none."""
    line = (found.team.team_id, *found.team.ancestor_ids) if found.team is not None else ()
    settings, default = await Grants(tx, found.enterprise_id).about(resource, line)
    return granting.decide(resource, line, settings, default)

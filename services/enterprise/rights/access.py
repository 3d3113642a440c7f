"""Who an account is in an enterprise: the question of every service, our own interceptor included."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from chassis import call
from chassis.access.employment import AccessSource
from chassis.database import Database, Snapshot
from services.enterprise import convert, granting
from services.enterprise.store import Grants, rights_and_settings
from wrtn.enterprise.v1.access_pb2 import Access, ResolveAccessRequest


def source(database: Database) -> AccessSource:
    """Answers the function that resolves an account's access from the tables."""

    async def resolve(request: ResolveAccessRequest) -> Access:
        known = await rights_and_settings(
            database,
            UUID(request.enterprise_id),
            account_id=UUID(request.account_id),
            member_id=_id(request.member_id),
            team_id=_id(request.team_id),
            resource=request.resource,
        )
        if known is None:
            return convert.access(None)
        found, settings, default = known
        # On a team that does not exist nothing may be used.
        if request.resource and (found.team is not None or not request.team_id):
            decision = granting.decide(request.resource, _line(found), settings, default)
            found = replace(found, granted=decision.allowed)
        return convert.access(found)

    return resolve


async def decided(tx: Snapshot, found: call.Access, resource: str) -> granting.Decision:
    """Decides whether the resource may be used on the team that the access was resolved for, else on none."""
    line = _line(found)
    settings, default = await Grants(tx, found.enterprise_id).about(resource, line)
    return granting.decide(resource, line, settings, default)


def _line(found: call.Access) -> tuple[UUID, ...]:
    return (found.team.team_id, *found.team.ancestor_ids) if found.team is not None else ()


def _id(text: str) -> UUID | None:
    return UUID(text) if text else None

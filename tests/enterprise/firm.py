"""An enterprise for the tests of grants: teams, and people in them who may change and use things."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from uuid import UUID

from chassis.database import Scope
from tests.enterprise.make import Worker, World
from wrtn.access.v1.access_pb2 import ROLE_CHIEF, ROLE_MANAGER, ROLE_MEMBER, TITLE_MANAGER, TITLE_MEMBER
from wrtn.enterprise.v1 import grants_pb2 as pb

GPT = "model:openai/gpt-4.1"


@dataclass(frozen=True)
class Firm:
    """An enterprise with a team below a team, and people in them."""

    world: World
    owner: Worker
    manager: Worker
    top: str
    team: str
    chief: Worker
    """Chief of the top team."""
    lead: Worker
    """Manager of the team below."""
    worker: Worker
    """Member of the team below."""

    @property
    def scope(self) -> Scope:
        """What a transaction in the enterprise may see."""
        return Scope.of(UUID(self.owner.enterprise_id))

    async def set(
        self,
        effect: pb.Effect.ValueType,
        resource: str = GPT,
        *,
        team: str = "",
        by: Worker | None = None,
        locked: bool = False,
        request_id: str = "",
    ) -> pb.Grant:
        """Sets a grant of the enterprise, by its manager unless another is given."""
        request = pb.SetGrantRequest(
            enterprise_id=self.owner.enterprise_id,
            team_id=team,
            resource=resource,
            effect=effect,
            locked=locked,
            reason="Because.",
            request_id=request_id,
        )
        return await self.world.grants.SetGrant(request, metadata=(by or self.manager).metadata)

    async def clear(self, resource: str = GPT, *, team: str = "", by: Worker | None = None) -> None:
        """Takes a grant of the enterprise back."""
        request = pb.ClearGrantRequest(
            enterprise_id=self.owner.enterprise_id, team_id=team, resource=resource
        )
        await self.world.grants.ClearGrant(request, metadata=(by or self.manager).metadata)

    async def deny(self, by: Worker, team: str, resource: str = GPT) -> pb.Grant:
        """Sets a team's own deny."""
        request = pb.DenyInTeamRequest(
            enterprise_id=self.owner.enterprise_id, team_id=team, resource=resource
        )
        return await self.world.grants.DenyInTeam(request, metadata=by.metadata)

    async def lift(self, by: Worker, team: str, resource: str = GPT) -> None:
        """Lifts a team's own deny."""
        request = pb.LiftInTeamRequest(
            enterprise_id=self.owner.enterprise_id, team_id=team, resource=resource
        )
        await self.world.grants.LiftInTeam(request, metadata=by.metadata)

    async def default(self, effect: pb.Effect.ValueType, kind: str = "model") -> pb.GrantDefault:
        """Sets the default of a kind."""
        request = pb.SetGrantDefaultRequest(
            enterprise_id=self.owner.enterprise_id, kind=kind, effect=effect, reason="Sparing."
        )
        return await self.world.grants.SetGrantDefault(request, metadata=self.owner.metadata)

    async def granted(self, team: str = "", resource: str = GPT, whom: Worker | None = None) -> bool:
        """Says whether the worker may use the resource, as the peers are told."""
        return (await self.world.resolve(whom or self.worker, team, resource)).granted

    async def explain(
        self, by: Worker, *, team: str = "", whom: Worker | None = None, resource: str = GPT
    ) -> pb.ExplainGrantResponse:
        """Asks why."""
        request = pb.ExplainGrantRequest(
            enterprise_id=by.enterprise_id,
            employee_id=whom.employee_id if whom else "",
            team_id=team,
            resource=resource,
        )
        return await self.world.grants.ExplainGrant(request, metadata=by.metadata)

    async def changes(self, by: Worker, team: str = "", **page: object) -> pb.ListGrantChangesResponse:
        """Lists the changes."""
        request = pb.ListGrantChangesRequest(
            enterprise_id=by.enterprise_id,
            team_id=team,
            **page,  # type: ignore[arg-type]
        )
        return await self.world.grants.ListGrantChanges(request, metadata=by.metadata)


async def firm_of(world: World) -> Firm:
    """Makes the enterprise."""
    owner = await world.owner()
    titles = (TITLE_MANAGER, TITLE_MEMBER, TITLE_MEMBER, TITLE_MEMBER)
    manager, *people = await asyncio.gather(*(world.hire(owner, title) for title in titles))
    top = await world.team(owner)
    team = await world.team(owner, top)
    places = zip((top, team, team), people, (ROLE_CHIEF, ROLE_MANAGER, ROLE_MEMBER), strict=True)
    await asyncio.gather(*(world.appoint(owner, *place) for place in places))
    return Firm(world, owner, manager, top, team, *people)

"""Who may do what to people and teams, over the real service: every kind of decider against every act."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import grpc
import pytest

from tests.enterprise.make import Worker, World, refusal
from wrtn.access.v1.access_pb2 import (
    DUTY_BILLING,
    DUTY_SECURITY,
    ROLE_CHIEF,
    ROLE_MANAGER,
    ROLE_MEMBER,
    TITLE_MANAGER,
    TITLE_MEMBER,
    TITLE_OWNER,
    Role,
    Title,
)

pytestmark = pytest.mark.timeout(240)

PEOPLE = {
    *("hire member", "hire manager", "hire owner"),
    *("member to manager", "member to owner", "manager to member", "owner to member"),
    *("dismiss member", "dismiss manager", "dismiss owner", "set duties"),
}
TEAMS = {"make team", "make sub-team", "rename", "move sub-team", "archive sub-team", "archive", "restore"}
ROLES = {
    *("appoint member", "appoint manager", "appoint chief"),
    *("remove member", "remove manager", "remove chief", "deputy of chief"),
}
MANAGERS = {"hire member", "dismiss member"} | TEAMS | ROLES
MEMBERS_ALONE = {"appoint member", "remove member"}
CHIEFS = (
    {"make sub-team", "rename", "move sub-team", "archive sub-team", "appoint manager", "remove manager"}
) | MEMBERS_ALONE
NOTHING: set[str] = set()

# What each of them may do in "team", which stands below "parent"; sub-teams stand below "team".
TABLE: dict[str, set[str]] = {
    "owner": PEOPLE | TEAMS | ROLES,
    "manager": MANAGERS,
    "manager with both duties": MANAGERS,
    "deputy of a manager of the enterprise": MANAGERS,
    "member": NOTHING,
    "chief of parent": CHIEFS | {"archive", "appoint chief", "remove chief", "deputy of chief"},
    "manager of parent": MEMBERS_ALONE,
    "member of parent": NOTHING,
    "chief of team": CHIEFS,
    "manager of team": MEMBERS_ALONE,
    "member of team": NOTHING,
    "chief beside": NOTHING,
    "deputy of the chief of team": CHIEFS,
    "deputy of the manager of team": MEMBERS_ALONE,
    "owner of another enterprise": NOTHING,
}


TITLES: dict[str, Title.ValueType] = {
    "member": TITLE_MEMBER,
    "manager": TITLE_MANAGER,
    "owner": TITLE_OWNER,
}
ROLES_BY_NAME: dict[str, Role.ValueType] = {
    "member": ROLE_MEMBER,
    "manager": ROLE_MANAGER,
    "chief": ROLE_CHIEF,
}


class Act(NamedTuple):
    """What makes something for the act to be done to, and what does it."""

    make: Callable[[], Awaitable[Any]]
    do: Callable[[Worker, Any], Awaitable[object]]


async def nothing() -> None:
    """Makes nothing: the act needs nothing of its own."""


class Firm:
    """An enterprise with somebody of each kind. What an act consumes, it makes anew."""

    def __init__(self, world: World, owner: Worker) -> None:
        self.world = world
        self.owner = owner
        self.deciders = {"owner": owner}
        self.parent = self.team = self.below = ""

    async def build(self) -> None:
        """Makes the teams and all who decide."""
        world, owner, made = self.world, self.owner, self.deciders
        self.parent = await world.team(owner)
        self.team = await world.team(owner, self.parent)
        self.below = await world.team(owner, self.team)
        made["manager"] = await self.worker(TITLE_MANAGER)
        made["manager with both duties"] = await self.worker(TITLE_MANAGER)
        await world.entrust(owner, made["manager with both duties"], DUTY_BILLING, DUTY_SECURITY)
        made["member"] = await self.worker(TITLE_MEMBER)
        for name, team_id in (("parent", self.parent), ("team", self.team)):
            for role, title in ((ROLE_CHIEF, "chief"), (ROLE_MANAGER, "manager"), (ROLE_MEMBER, "member")):
                made[f"{title} of {name}"] = await self.companion(role, team_id)
        made["chief beside"] = await self.companion(ROLE_CHIEF, await world.team(owner, self.parent))
        for name, absent, team_id in (
            ("a manager of the enterprise", "manager", ""),
            ("the chief of team", "chief of team", self.team),
            ("the manager of team", "manager of team", self.team),
        ):
            made[f"deputy of {name}"] = await self.worker(TITLE_MEMBER)
            await world.deputise(owner, made[f"deputy of {name}"], made[absent], team_id)
        made["owner of another enterprise"] = await world.owner()

    async def worker(self, title: Title.ValueType = TITLE_MEMBER) -> Worker:
        """Employs somebody."""
        return await self.world.hire(self.owner, title)

    async def companion(self, role: Role.ValueType, team_id: str = "") -> Worker:
        """Employs somebody for a role."""
        made = await self.worker()
        await self.world.appoint(self.owner, team_id or self.team, made, role)
        return made

    def acts(self) -> dict[str, Act]:
        """Answers each act: what makes something for it to be done to, and what does it."""
        world, team, owner = self.world, self.team, self.owner
        chief = self.deciders["chief of team"]
        found: dict[str, Act] = {}
        for name, title in TITLES.items():
            found[f"hire {name}"] = Act(nothing, partial(self._hire, title))
            found[f"dismiss {name}"] = Act(partial(self.worker, title), world.dismiss)
        for change in ("member to manager", "member to owner", "manager to member", "owner to member"):
            before, after = (TITLES[each] for each in change.split(" to "))
            found[change] = Act(partial(self.worker, before), partial(self._promote, after))
        found["set duties"] = Act(
            partial(self.worker, TITLE_MANAGER), lambda by, whom: world.entrust(by, whom, DUTY_SECURITY)
        )
        for name, role in ROLES_BY_NAME.items():
            found[f"appoint {name}"] = Act(self.worker, partial(self._appoint, role))
            found[f"remove {name}"] = Act(
                partial(self.companion, role), lambda by, whom: world.remove(by, team, whom)
            )
        found["deputy of chief"] = Act(self.worker, lambda by, whom: world.deputise(by, whom, chief, team))
        sub_team = partial(world.team, owner, team)
        found["make team"] = Act(nothing, lambda by, _: world.team(by))
        found["make sub-team"] = Act(nothing, lambda by, _: world.team(by, team))
        found["rename"] = Act(nothing, lambda by, _: world.rename(by, team, "Renamed"))
        found["move sub-team"] = Act(sub_team, lambda by, moved: world.move(by, moved, self.below))
        found["archive sub-team"] = Act(sub_team, world.archive)
        found["restore"] = Act(self._archived, world.restore)
        # The last of all, since nobody has a right in an archived team.
        found["archive"] = Act(nothing, lambda by, _: world.archive(by, team))
        return found

    async def _hire(self, title: Title.ValueType, by: Worker, _: None) -> object:
        return await self.world.hire(by, title)

    async def _promote(self, title: Title.ValueType, by: Worker, whom: Worker) -> object:
        return await self.world.promote(by, whom, title)

    async def _appoint(self, role: Role.ValueType, by: Worker, whom: Worker) -> object:
        return await self.world.appoint(by, self.team, whom, role)

    async def _archived(self) -> str:
        made = await self.world.team(self.owner, self.team)
        await self.world.archive(self.owner, made)
        return made

    def here(self, who: str) -> Worker:
        """Answers who decides, naming this enterprise, also when it is not theirs."""
        return replace(self.deciders[who], enterprise_id=self.owner.enterprise_id)

    async def events(self) -> int:
        """Answers how many events there were so far."""
        counted = "SELECT count(*) FROM wrtn_outbox WHERE tenant_id = %s"
        ((count,),) = await self.world.rows(counted, self.owner.enterprise_id)
        return int(count)


async def test_each_of_them_does_what_the_table_says_and_nothing_else(world: World) -> None:
    firm = Firm(world, await world.owner())
    await firm.build()
    acts = firm.acts()
    assert set(acts) == PEOPLE | TEAMS | ROLES
    assert set(firm.deciders) == set(TABLE)
    # First all that is refused: it changes nothing, so that one thing serves for all of them.
    made = {name: await act.make() for name, act in acts.items()}
    before = await firm.events()
    for who, allowed in TABLE.items():
        foreign = who == "owner of another enterprise"
        wanted = grpc.StatusCode.NOT_FOUND if foreign else grpc.StatusCode.PERMISSION_DENIED
        names = sorted(acts.keys() - allowed)
        answers = await asyncio.gather(
            *(acts[name].do(firm.here(who), made[name]) for name in names), return_exceptions=True
        )
        for name, answer in zip(names, answers, strict=True):
            assert isinstance(answer, grpc.aio.AioRpcError), (who, name)
            assert refusal(answer)[0] == wanted, (who, name)
    assert await firm.events() == before
    for who, allowed in TABLE.items():
        names = [each for each in acts if each in allowed]
        targets = await asyncio.gather(*(acts[name].make() for name in names))
        for name, target in zip(names, targets, strict=True):
            try:
                await acts[name].do(firm.here(who), target)
            except grpc.aio.AioRpcError as error:
                pytest.fail(f"{who} may not {name}: {refusal(error)}")
        if "archive" in allowed:
            await world.restore(firm.owner, firm.team)

"""What was taken is taken on every path: each RPC of each service, by token and by key, from the contracts.

Each cache is warm when the right goes, and keeps answers for five seconds: within three it ends by the event.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
import pytest_asyncio

from chassis.testing.waiting import until
from deploy.local.plan import SERVICES
from tests.e2e.callers import Answer, Caller, Fields, Rpc, rpcs, staff, stranger
from tests.e2e.suite import Suite
from tests.replay.people import Member
from tests.replay.rest import Rest
from wrtn.access.v1.access_pb2 import STAFF_RIGHT_MODERATOR

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

CODES = grpc.StatusCode
MEMBERS = [each for each in rpcs() if each.rule.member or each.rule.HasField("enterprise")]
AT_WORK = [each for each in MEMBERS if each.rule.at_work or each.rule.HasField("enterprise")]
SECONDS = 3


@dataclass(frozen=True, slots=True)
class World:
    """The suite, with who calls it."""

    suite: Suite
    rest: Rest
    caller: Caller

    async def key(self, member: Member, **more: str) -> str:
        """Makes an API key of a member that reads and writes."""
        body = {"displayName": "a program", "scopes": ["read", "write"], **more}
        return str((await self.rest.call("POST", "/v1/apiKeys", token=member.access_token, body=body))["key"])

    async def refused(
        self, asked: list[Rpc], tokens: tuple[str, ...], fields: Callable[[Rpc], Fields], codes: set[CODES]
    ) -> None:
        """Returns once every service refuses the tokens; asserts that then every RPC does."""

        def answers(some: list[Rpc]) -> Iterator[tuple[str, Answer]]:
            for rpc in some:
                for token in tokens:
                    yield rpc.path, self.caller.call(rpc, token, fields(rpc))

        async def over() -> bool:
            return all(found.code in codes for _, found in answers(probes(asked)))

        await until(over, SECONDS)
        assert [each for each in answers(asked) if each[1].code not in codes] == []

    def warm(self, asked: list[Rpc], tokens: tuple[str, ...], fields: Callable[[Rpc], Fields]) -> None:
        """Has every service remember that the tokens are good."""
        for rpc in probes(asked):
            for token in tokens:
                found = self.caller.call(rpc, token, fields(rpc))
                assert found.code not in (CODES.UNAUTHENTICATED, CODES.PERMISSION_DENIED), (rpc.path, found)


@pytest_asyncio.fixture
async def world(suite: Suite) -> Any:
    made = World(suite, Rest(suite.plan.url("gateway")), Caller(suite))
    yield made
    made.caller.close()
    await made.rest.close()


def probes(asked: list[Rpc]) -> list[Rpc]:
    """Answers one RPC of each service that tells whether it has heard: one that reads, and takes a key."""
    plain = [each for each in asked if each.reads and not each.rule.interactive and not each.rule.anyone]
    found = {each.service: each for each in plain if not each.rule.enterprise.team_field}
    return [found[service] for service in SERVICES if service in found]


def harmless(rpc: Rpc) -> Fields:
    """Names nothing, so that who is let in changes nothing."""
    return rpc.harmless()


@pytest.fixture
def moderator(suite: Suite) -> Member:
    """A moderator, made before the loop of the test runs."""
    return staff(suite)[STAFF_RIGHT_MODERATOR]


async def test_a_suspended_member_is_refused_by_every_rpc_with_token_and_key(
    moderator: Member, world: World
) -> None:
    member = await stranger(world.suite)
    tokens = (member.access_token, await world.key(member))
    world.warm(MEMBERS, tokens, harmless)
    body = {"reason": "REASON_ABUSE", "note": "Spam."}
    path = f"/v1/members/{member.id}:suspend"
    await world.rest.call("POST", path, token=moderator.access_token, body=body)
    await world.refused(MEMBERS, tokens, harmless, {CODES.UNAUTHENTICATED})


async def test_who_gave_an_account_away_does_nothing_by_it_with_token_and_key(world: World) -> None:
    giver, receiver = await stranger(world.suite), await stranger(world.suite)
    account = (await world.rest.call("GET", "/v1/accounts", token=giver.access_token))["accounts"][0]["id"]
    tokens = (giver.access_token, await world.key(giver))
    offer = await world.rest.call(
        "POST",
        f"/v1/accounts/{account}:offer",
        token=giver.access_token,
        body={"receiverMemberId": receiver.id},
    )
    world.warm(MEMBERS, tokens, harmless)
    path = f"/v1/accountTransfers/{offer['id']}:accept"
    await world.rest.call("POST", path, token=receiver.access_token, body={})
    await world.refused(MEMBERS, tokens, harmless, {CODES.UNAUTHENTICATED})


async def test_who_was_dismissed_does_nothing_of_their_work_with_token_and_key(world: World) -> None:
    owner, member = await stranger(world.suite), await stranger(world.suite)
    body: dict[str, object] = {"displayName": "Firm", "slug": f"firm-{owner.id[-12:]}"}
    made = await world.rest.call("POST", "/v1/enterprises", token=owner.access_token, body=body)
    await owner.act(world.rest, made["accountId"])
    path = f"/v1/enterprises/{made['enterprise']['id']}/employees"
    body = {"memberId": member.id, "title": "TITLE_MANAGER"}
    hired = await world.rest.call("POST", path, token=owner.access_token, body=body)
    await member.act(world.rest, hired["accountId"])
    tokens = (member.access_token, await world.key(member, accountId=hired["accountId"]))

    def named(rpc: Rpc) -> Fields:
        return rpc.named(made["enterprise"]["id"])

    managed = [each for each in AT_WORK if each.rule.enterprise.title < 3]
    world.warm(managed, tokens, named)
    path = f"{path}/{hired['id']}:dismiss"
    await world.rest.call("POST", path, token=owner.access_token, body={"reason": "Left us."})
    await world.refused(AT_WORK, tokens, named, {CODES.NOT_FOUND, CODES.PERMISSION_DENIED})

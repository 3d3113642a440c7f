"""Every act of staff is in the audit trail: each RPC of theirs that changes something, from the contracts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import grpc
import pytest

from chassis.testing.waiting import until
from tests.e2e.callers import Caller, Rpc, rpcs, staff, stranger
from tests.e2e.suite import Suite
from tests.replay.people import Member
from tests.replay.rest import Rest
from wrtn.access.v1.access_pb2 import STAFF_RIGHT_ADMINISTRATOR, STAFF_RIGHT_MODERATOR
from wrtn.identity.v1.break_glass_pb2 import BreakGlass

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

WHY = "The audit trail is to show it."
ACTS = [each for each in rpcs() if each.rule.staff and not each.reads]


@pytest.fixture
def boss(suite: Suite) -> Member:
    """An administrator."""
    return staff(suite)[STAFF_RIGHT_ADMINISTRATOR]


async def test_each_of_them_is_audited_under_its_method_and_actor(suite: Suite, boss: Member) -> None:
    rest, caller = Rest(suite.plan.url("gateway")), Caller(suite)
    somebody = await stranger(suite)
    founded = await rest.call(
        "POST",
        "/v1/enterprises",
        token=somebody.access_token,
        body={"displayName": "Audited", "slug": f"audited-{somebody.id[-12:]}"},
    )
    enterprise_id = founded["enterprise"]["id"]
    named: Mapping[str, Any] = {"member_id": somebody.id, "enterprise_id": enterprise_id, "reason": WHY}
    hold = {"reason": 1, "note": WHY}
    fields: dict[str, Mapping[str, Any]] = {
        "AppointStaff": {"staff_right": STAFF_RIGHT_MODERATOR},
        "DismissStaff": {},
        "SearchMembers": {},
        "SearchEnterprises": {},
        "SearchChatSessions": {"tenant_id": enterprise_id},
        "SuspendEnterprise": {"cause": 1},
        "ReinstateEnterprise": {},
        "SuspendMember": hold,
        "ReinstateMember": hold,
        "OpenBreakGlass": {"tenant_id": enterprise_id},
        "CloseBreakGlass": {},
    }
    by_name: dict[str, Rpc] = {each.path.rpartition("/")[2]: each for each in ACTS}
    assert set(by_name) == set(fields), "a new act of staff: say here how it is called"
    opened = ""
    for name, more in fields.items():
        given = {**named, **more, "break_glass_id": opened}
        answer = caller.call(by_name[name], boss.access_token, given)
        assert answer.code is grpc.StatusCode.OK, (name, answer)
        if name == "OpenBreakGlass":
            opened = BreakGlass.FromString(answer.body).id

    async def all_there() -> bool:
        path = f"/v1/auditEntries?actorId={boss.id}&pageSize=200"
        found = await rest.call("GET", path, token=boss.access_token)
        seen = {each["method"] for each in found.get("entries", [])}
        return seen >= {each.path for each in ACTS}

    await until(all_there, 60)
    caller.close()
    await rest.close()

"""Every act of staff is in the audit trail, also what they read of others: each RPC, from the contracts."""

from __future__ import annotations

import struct
from base64 import b64encode
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
from wrtn.sessions.v1.procedures_pb2 import Procedure

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

PNG = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 8, 8) + b"\x08"
WHY = "The audit trail is to show it."
PUBLIC = {"/wrtn.billing.v1.PriceService/ListPrices"}
"""What every member reads."""
NOT_FOUND = {"GetErasureCertificate", "RefundWalletLot"}
"""Nobody is erased here, and nothing was bought: tests of identity and billing read and refund."""
ACTS = [each for each in rpcs() if each.rule.staff and each.path not in PUBLIC]


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
    picture = {"image": b64encode(PNG).decode()}
    await rest.call("POST", "/v1/members/me/avatar", token=somebody.access_token, body=picture)
    enterprise_id = founded["enterprise"]["id"]
    named: Mapping[str, Any] = {"member_id": somebody.id, "enterprise_id": enterprise_id, "reason": WHY}
    hold = {"reason": 1, "note": WHY}
    credit = {"wallet_id": enterprise_id, "currency": "USD"}
    fields: dict[str, Mapping[str, Any]] = {
        "AppointStaff": {"staff_right": STAFF_RIGHT_MODERATOR},
        "DismissStaff": {},
        "SearchMembers": {},
        "SearchEnterprises": {},
        "SearchChatSessions": {"tenant_id": enterprise_id},
        "SuspendEnterprise": {"cause": 1},
        "ReinstateEnterprise": {},
        "ListStateChanges": {},
        "SuspendMember": hold,
        "ReinstateMember": hold,
        "OpenBreakGlass": {"tenant_id": enterprise_id},
        "CloseBreakGlass": {},
        "GetMember": {},
        "GetAvatar": {},
        "ListSuspensions": {},
        "ListStaff": {},
        "ListStaffAppointments": {},
        "ListBreakGlasses": {},
        "ListErasureCertificates": {},
        "GetErasureCertificate": {"erasure_id": somebody.id},
        "GetEnterprise": {},
        "SearchAuditEntries": {},
        "GetWallet": {"wallet_id": enterprise_id},
        "ListWalletLots": {"wallet_id": enterprise_id},
        "GetWalletStatement": {"wallet_id": enterprise_id},
        "AddWalletBonus": {**credit, "amount": "1"},
        "AddWalletGrant": {**credit, "amount": "1", "expire_time.seconds": 4_000_000_000},
        "FineWallet": {**credit, "amount": "1"},
        "SetWalletPrepaid": credit,
        "RefundWalletLot": {**credit, "amount": "1", "lot_id": somebody.id},
    }
    procedure = {
        "code": "audited",
        "display_name": "Audited",
        "input_form": '{"type":"object"}',
        "enterprise_id": "",
    }
    fields |= {
        "CreateProcedure": procedure,
        "UpdateProcedure": {"procedure.display_name": "Audited", "enterprise_id": ""},
        "CreateProcedureVersion": procedure,
        "PublishProcedure": {"enterprise_id": ""},
        "WithdrawProcedure": {"enterprise_id": ""},
        "SearchProcedureSessions": {"tenant_id": enterprise_id},
    }
    names = {each.path.rpartition("/")[2]: each for each in ACTS}
    # Much of billing's wants plans, invoices and payments first: its own tests call those, and there as
    # everywhere a call of staff that audits nothing fails (decision 0171).
    by_name: dict[str, Rpc] = {
        name: each for name, each in names.items() if name in fields or each.service != "billing"
    }
    paths = {name: each.path for name, each in by_name.items()}
    assert set(by_name) == set(fields), "a new act of staff: say here how it is called"
    opened = kept = ""
    for name, more in fields.items():
        given = {**named, **more, "break_glass_id": opened, "procedure_id": kept, "procedure.id": kept}
        answer = caller.call(by_name[name], boss.access_token, given)
        expected = grpc.StatusCode.NOT_FOUND if name in NOT_FOUND else grpc.StatusCode.OK
        assert answer.code is expected, (name, answer)
        if name == "OpenBreakGlass":
            opened = BreakGlass.FromString(answer.body).id
        if name == "CreateProcedure":
            kept = Procedure.FromString(answer.body).id

    async def all_there() -> bool:
        path = f"/v1/auditEntries?actorId={boss.id}&pageSize=200"
        found = await rest.call("GET", path, token=boss.access_token)
        seen = {each["method"] for each in found.get("entries", [])}
        return seen >= {path for name, path in paths.items() if name not in NOT_FOUND}

    await until(all_there, 60)
    caller.close()
    await rest.close()

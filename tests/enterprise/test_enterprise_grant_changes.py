"""The record of grants, and lists of them."""

from __future__ import annotations

import grpc
import pytest

from tests.enterprise.firm import GPT, Firm
from wrtn.enterprise.v1 import grants_pb2 as pb
from wrtn.enterprise.v1.grants_pb2 import (
    EFFECT_ALLOW,
    EFFECT_DENY,
    EFFECT_UNSPECIFIED,
    GRANT_LAYER_DEFAULT,
    GRANT_LAYER_ENTERPRISE,
    GRANT_LAYER_TEAM,
)


async def test_each_change_is_recorded_for_good_with_who_what_and_why(firm: Firm) -> None:
    await firm.set(EFFECT_DENY, locked=True)
    await firm.set(EFFECT_DENY, locked=True)
    await firm.set(EFFECT_ALLOW)
    await firm.clear()
    await firm.clear()
    await firm.deny(firm.lead, firm.team, "model:*")
    await firm.default(EFFECT_DENY)
    found = list((await firm.changes(firm.owner)).grant_changes)
    assert [
        (each.sequence, each.layer, each.effect_before, each.effect_after, each.locked_before)
        for each in found
    ] == [
        (5, GRANT_LAYER_DEFAULT, EFFECT_UNSPECIFIED, EFFECT_DENY, False),
        (4, GRANT_LAYER_TEAM, EFFECT_UNSPECIFIED, EFFECT_DENY, False),
        (3, GRANT_LAYER_ENTERPRISE, EFFECT_ALLOW, EFFECT_UNSPECIFIED, False),
        (2, GRANT_LAYER_ENTERPRISE, EFFECT_DENY, EFFECT_ALLOW, True),
        (1, GRANT_LAYER_ENTERPRISE, EFFECT_UNSPECIFIED, EFFECT_DENY, False),
    ]
    assert [each.decider_employee_id for each in found[1:]] == [
        firm.lead.employee_id,
        *[firm.manager.employee_id] * 3,
    ]
    assert (found[-1].reason, found[0].reason) == ("Because.", "Sparing.")
    events = await firm.world.rows(
        "SELECT aggregate_version FROM wrtn_outbox WHERE subject LIKE '%%grant.changed' AND tenant_id = %s"
        " ORDER BY id",
        firm.owner.enterprise_id,
    )
    assert [row[0] for row in events] == [1, 2, 3, 4, 5]
    assert len(await firm.world.audited(firm.owner.enterprise_id)) >= 5


async def test_the_record_cannot_be_altered_and_holds_no_readable_reason(firm: Firm) -> None:
    await firm.set(EFFECT_DENY)
    async with firm.world.database.app.snapshot(firm.scope) as tx:
        row = await (await (await tx.driver()).execute("SELECT reason FROM wrtn_grant_changes")).fetchone()
    assert row is not None
    assert b"Because" not in row[0]
    with pytest.raises(Exception, match=r"insert-only|permission denied"):
        async with firm.world.database.app.transaction(firm.scope) as tx:
            await (await tx.driver()).execute("UPDATE wrtn_grant_changes SET resource = 'x:y'")


async def test_a_retry_sets_once(firm: Firm) -> None:
    first = await firm.set(EFFECT_DENY, request_id="one")
    await firm.clear()
    assert await firm.set(EFFECT_DENY, request_id="one") == first
    assert await firm.granted()


async def test_changes_are_listed_by_team_and_page_for_those_who_run_it(firm: Firm) -> None:
    for number in range(3):
        await firm.set(EFFECT_DENY, f"model:a/m{number}", team=firm.team)
    await firm.set(EFFECT_DENY)
    first = await firm.changes(firm.lead, firm.team, page_size=2)
    rest = await firm.changes(firm.lead, firm.team, page_size=2, page_token=first.next_page_token)
    assert [each.resource for each in (*first.grant_changes, *rest.grant_changes)] == [
        "model:a/m2",
        "model:a/m1",
        "model:a/m0",
    ]
    assert not rest.next_page_token
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await firm.changes(firm.lead)
    assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED


async def test_grants_are_listed_where_they_are_set_or_all_that_bear_on_a_team(firm: Firm) -> None:
    await firm.set(EFFECT_ALLOW, "model:b/*", team=firm.team)
    await firm.deny(firm.lead, firm.team, "model:a/*")
    await firm.set(EFFECT_DENY, team=firm.top)
    await firm.set(EFFECT_DENY, "model:*", locked=True)

    async def listed(team: str, *, effective: bool) -> list[tuple[str, str]]:
        found, token = [], ""
        while True:
            request = pb.ListGrantsRequest(
                enterprise_id=firm.owner.enterprise_id,
                team_id=team,
                effective=effective,
                page_size=1,
                page_token=token,
            )
            page = await firm.world.grants.ListGrants(request, metadata=firm.worker.metadata)
            found += [(each.team_id, each.resource) for each in page.grants]
            token = page.next_page_token
            if not token:
                return found

    own = [(firm.team, "model:a/*"), (firm.team, "model:b/*")]
    assert await listed(firm.team, effective=False) == own
    assert await listed("", effective=False) == [("", "model:*")]
    assert await listed(firm.team, effective=True) == [*own, (firm.top, GPT), ("", "model:*")]
    defaults = await firm.default(EFFECT_DENY, "procedure")
    request = pb.ListGrantDefaultsRequest(enterprise_id=firm.owner.enterprise_id)
    known = await firm.world.grants.ListGrantDefaults(request, metadata=firm.worker.metadata)
    assert list(known.grant_defaults) == [defaults]

"""Corrections: a dry run, a second person, then entries beside what was rated, which stays as it was."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import grpc
import psycopg
import pytest
import pytest_asyncio

from chassis.audit.acts import PLATFORM
from chassis.database import Scope
from chassis.database.roles import connect
from chassis.testing.callers import Callers
from chassis.testing.clocks import MovableClock
from chassis.testing.databases import DatabaseFactory
from chassis.testing.serving import Serve
from chassis.testing.waiting import until
from services.billing.usage.sums import Asked, By, sums
from tests.billing.desk import MODEL, Desk, refused, served
from tests.billing.make import know
from tests.billing.office import found, replica
from tests.usage import NEW, Person, tokens, usage
from wrtn.access.v1.access_pb2 import StaffRight
from wrtn.billing.v1 import corrections_pb2 as pb
from wrtn.billing.v1.corrections_pb2_grpc import CorrectionServiceStub
from wrtn.billing.v1.operations_pb2_grpc import OperationServiceStub
from wrtn.billing.v1.price_rules_pb2 import PriceRates
from wrtn.operations.v1.operations_pb2 import GetOperationRequest, Operation

DAY = timedelta(days=1)
MILLION = tokens(1_000_000, 0, 0)


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest_asyncio.fixture
async def desk(
    database: DatabaseFactory, serve: Serve, callers: Callers, clock: MovableClock
) -> AsyncIterator[Desk]:
    async with served(database, serve, callers, clock) as made:
        yield made


async def reached(
    desk: Desk, correction: pb.Correction, state: pb.Correction.State.ValueType
) -> pb.Correction:
    """Waits until the correction is there, and answers it."""
    service = CorrectionServiceStub(desk.channel)
    request, newest = pb.GetCorrectionRequest(correction_id=correction.id), [correction]

    async def there() -> bool:
        newest[0] = await service.GetCorrection(request, metadata=desk.admin.metadata)
        return newest[0].state == state

    await until(there, 30)
    return newest[0]


async def test_a_wrong_price_is_corrected_by_entries_after_somebody_else_approved(desk: Desk) -> None:
    service, team, top = CorrectionServiceStub(desk.channel), NEW(), NEW()
    tenant = NEW()
    people = [Person(tenant, (team, top)), Person(tenant)]
    await know(desk.database, [tenant], "EUR")
    await desk.exchange("EUR", "0.5", desk.now() - 9 * DAY)
    price = await desk.price(start=desk.now() - 3 * DAY, input_per_million="10")
    times = [desk.now() - 2 * DAY, desk.now() - DAY, desk.now()]
    for person in people:
        for at in times:
            await desk.used(person, MILLION, at=at)
    await desk.used(people[0], MILLION, model="openai/gpt-4.1")
    before = await desk.core.rows("SELECT * FROM wrtn_usages ORDER BY history_id", tenant)
    ledger = await desk.core.rows("SELECT * FROM wrtn_ledger_entries ORDER BY sequence", tenant)
    request = pb.CreateCorrectionRequest(
        price_id=price.id, rates=PriceRates(input_per_million="4"), reason="The vendor's page was misread."
    )
    request.start_time.FromDatetime(times[1])
    proposed = await service.CreateCorrection(request, metadata=desk.admin.metadata)
    proposed = await reached(desk, proposed, pb.Correction.STATE_PROPOSED)
    asked = pb.ListCorrectionDifferencesRequest(correction_id=proposed.id)
    rows = (await service.ListCorrectionDifferences(asked, metadata=desk.admin.metadata)).differences
    expected = {("", 2, "-12", "-6", "EUR"), (str(team), 2, "-12", "-6", "EUR")}
    assert {(row.team_id, row.usage_count, row.cost, row.charge, row.currency) for row in rows} == expected
    assert before == await desk.core.rows("SELECT * FROM wrtn_usages ORDER BY history_id", tenant)
    assert await desk.core.rows("SELECT count(*) FROM wrtn_usage_corrections", tenant) == [(0,)]

    approval = pb.ApproveCorrectionRequest(correction_id=proposed.id)
    await refused("CORRECTION_OWN", service.ApproveCorrection(approval, metadata=desk.admin.metadata))
    others = [desk.callers.member(staff=StaffRight.STAFF_RIGHT_ADMINISTRATOR) for _ in range(3)]
    decided = await asyncio.gather(
        *(service.ApproveCorrection(approval, metadata=each.metadata) for each in others),
        return_exceptions=True,
    )
    assert sum(isinstance(each, pb.Correction) for each in decided) == 1
    applied = await reached(desk, proposed, pb.Correction.STATE_APPLIED)
    assert applied.decider_member_id in {str(each.member_id) for each in others}

    assert before == await desk.core.rows("SELECT * FROM wrtn_usages ORDER BY history_id", tenant)
    entries = await desk.core.rows("SELECT * FROM wrtn_ledger_entries ORDER BY sequence", tenant)
    assert entries[: len(ledger)] == ledger
    whole = 31 - 12  # six of 5 euros and one of 1, then four of them 3 less
    balances = dict(await desk.core.rows("SELECT ledger_account, balance FROM wrtn_ledger_balances", tenant))
    # Nothing of it was invoiced: there is nothing to credit, and less to invoice.
    assert balances == {"usage_revenue": -whole, "receivable": whole}
    assert await desk.core.rows("SELECT * FROM wrtn_credit_notes", tenant) == []
    for span in ((None, None), (times[0] - DAY / 24, None)):
        for by, count in ((By.TEAM, 2), (By.MEMBER, 2), (By.MODEL, 2)):
            async with desk.database.app.snapshot(Scope.of(tenant)) as snapshot:
                total, parts = await sums(snapshot, tenant, Asked(by, *span))
            assert total.charge == whole
            assert total.cost == 38
            assert (total.usage_count, len(parts)) == (7, count)
    assert [str(row[0]) for row in await desk.audited(PLATFORM, "correction.approved")] == [proposed.id]
    assert {str(row[0]) for row in await desk.audited(PLATFORM, "correction.read")} == {proposed.id}


async def corrected(desk: Desk, price_id: str, rate: str) -> None:
    """Proposes a rate for input, and has it approved and applied."""
    service = CorrectionServiceStub(desk.channel)
    request = pb.CreateCorrectionRequest(
        price_id=price_id, rates=PriceRates(input_per_million=rate), reason="The vendor's page was misread."
    )
    proposed = await service.CreateCorrection(request, metadata=desk.admin.metadata)
    await reached(desk, proposed, pb.Correction.STATE_PROPOSED)
    other = desk.callers.member(staff=StaffRight.STAFF_RIGHT_ADMINISTRATOR)
    approval = pb.ApproveCorrectionRequest(correction_id=proposed.id)
    await service.ApproveCorrection(approval, metadata=other.metadata)
    await reached(desk, proposed, pb.Correction.STATE_APPLIED)


async def test_a_correction_moves_what_is_spent_of_the_budgets_that_the_usage_was_spent_from(
    desk: Desk,
) -> None:
    async with replica(desk.running) as stubs:
        office = await found(stubs, desk.database, desk.callers)
        price = await desk.price(start=desk.now() - 3 * DAY, input_per_million="10")
        whole = await office.budget("100", thresholds=[50])
        team = await office.budget("50", team_id=office.line[0])
        elsewhere = await office.budget("100", resource="model:openai/gpt-4.1")
        reservation = await office.spend("15", model=MODEL)
        messages = [usage(office.person, MILLION, model=MODEL, at=desk.now()) for _ in range(2)]
        messages[0].reservation_id, procedure = reservation.id, NEW()
        messages[1].procedure_id = str(procedure)
        await desk.rate(*messages)
        later = await office.budget("100", resource=f"model:{MODEL}")
        of_one = await office.budget("100", resource=f"procedure:{procedure}")
        budgets = (whole, team, elsewhere, later, of_one)
        await office.spend("1", model=MODEL)

        async def spent() -> list[str]:
            return [(await office.read(each)).status.spent for each in budgets]

        assert await spent() == ["20", "20", "0", "20", "10"]
        await corrected(desk, price.id, "4")
        assert await spent() == ["8", "8", "0", "8", "4"]
        noticed = "SELECT budget_id, threshold FROM wrtn_budget_notices"
        assert await office.rows(noticed) == []
        await corrected(desk, price.id, "30")
        assert await spent() == ["60", "60", "0", "60", "30"]
        assert await office.rows(noticed) == [(UUID(whole.id), 50)]
        with pytest.raises(grpc.aio.AioRpcError, match="RESOURCE_EXHAUSTED"):
            await office.spend("1", model=MODEL)
        # One that is set now begins with what was used, as it is corrected.
        latest = await office.budget("100", employee_id=office.person.employee_id)
        assert latest.status.spent == "60"


async def test_what_was_unpriced_is_rated_later_once_and_the_rest_stays(desk: Desk) -> None:
    service, person = CorrectionServiceStub(desk.channel), Person(NEW(), (NEW(),))
    await desk.used(person, MILLION)
    await desk.used(person, MILLION, model="acme/still-unknown")
    await desk.price(start=desk.now() - DAY, input_per_million="3")
    for _ in range(2):
        begun = await service.RateUnpricedUsages(pb.RateUnpricedUsagesRequest(), metadata=desk.admin.metadata)
        await reached(desk, begun, pb.Correction.STATE_APPLIED)
        async with desk.database.app.snapshot(Scope.of(person.tenant_id)) as snapshot:
            for start in (None, desk.now() - DAY / 24):
                total, _ = await sums(snapshot, person.tenant_id, Asked(By.NOTHING, start))
                assert (total.unpriced_count, total.usage_count) == (1, 2)
                assert total.cost == total.charge == 3
    operation = await OperationServiceStub(desk.channel).GetOperation(
        GetOperationRequest(operation_id=begun.operation_id), metadata=desk.admin.metadata
    )
    assert (operation.state, operation.progress.done) == (Operation.STATE_SUCCEEDED, 1)
    balances = "SELECT balance FROM wrtn_ledger_balances ORDER BY 1"
    assert await desk.core.rows(balances, person.tenant_id) == [(-3,), (3,)]


async def test_a_rejected_correction_is_never_applied_and_entries_are_never_changed(desk: Desk) -> None:
    service, person = CorrectionServiceStub(desk.channel), Person(NEW())
    price = await desk.price(start=desk.now() - DAY, input_per_million="10")
    await desk.used(person, MILLION)
    request = pb.CreateCorrectionRequest(price_id=price.id, rates=PriceRates(), reason="A mistake.")
    proposed = await service.CreateCorrection(request, metadata=desk.admin.metadata)
    await reached(desk, proposed, pb.Correction.STATE_PROPOSED)
    rejection = pb.RejectCorrectionRequest(correction_id=proposed.id)
    await service.RejectCorrection(rejection, metadata=desk.admin.metadata)
    other = desk.callers.member(staff=StaffRight.STAFF_RIGHT_ADMINISTRATOR)
    approval = pb.ApproveCorrectionRequest(correction_id=proposed.id)
    await refused("CORRECTION_STATE_REFUSED", service.ApproveCorrection(approval, metadata=other.metadata))
    assert await desk.core.rows("SELECT count(*) FROM wrtn_usage_corrections", person.tenant_id) == [(0,)]
    missing = pb.CreateCorrectionRequest(price_id=str(NEW()), rates=PriceRates(), reason="None.")
    await refused("PRICE_NOT_FOUND", service.CreateCorrection(missing, metadata=desk.admin.metadata))
    moderator = desk.callers.member(staff=StaffRight.STAFF_RIGHT_MODERATOR)
    with pytest.raises(grpc.aio.AioRpcError, match="PERMISSION_DENIED"):
        await service.CreateCorrection(request, metadata=moderator.metadata)
    with connect(desk.database.urls.owner) as owner:
        with pytest.raises(psycopg.errors.RestrictViolation):
            owner.execute("DELETE FROM wrtn_usage_corrections")
        with pytest.raises(psycopg.errors.CheckViolation):
            owner.execute("UPDATE wrtn_corrections SET state = 3, decider_member_id = proposer_member_id")

"""Random spendings against a plain model: what is spent and reserved of each budget, step by step."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from chassis.database import Scope
from services.billing.models import ReservationState
from services.billing.spending import reservations
from services.billing.store.reservations import Reservations
from tests.billing.office import Office, told
from wrtn.billing.v1 import budgets_pb2, spending_pb2

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass
class Limit:
    """A budget as the model knows it."""

    budget: budgets_pb2.Budget
    amount: Decimal
    spent: Decimal = Decimal(0)
    reserved: Decimal = Decimal(0)

    def admits(self, amount: Decimal) -> bool:
        """Whether as much fits."""
        left = self.amount - self.spent - self.reserved
        return amount <= left and left > 0


@dataclass
class Model:
    """All budgets, and what is held."""

    limits: list[Limit]
    held: dict[str, tuple[spending_pb2.Reservation, Decimal]] = field(default_factory=dict)

    def reserve(self, amount: Decimal) -> bool:
        """Takes the amount at every level, or at none."""
        fits = all(each.admits(amount) for each in self.limits)
        for each in self.limits if fits else []:
            each.reserved += amount
            assert each.spent + each.reserved <= each.amount
        return fits

    def end(self, reservation_id: str, spent: Decimal = Decimal(0)) -> None:
        """Gives back what is held, and spends."""
        _, amount = self.held.pop(reservation_id)
        for each in self.limits:
            each.reserved -= amount
            each.spent += spent


async def admitted(call: Any) -> spending_pb2.Reservation | None:
    """Answers the reservation, or None if a budget refuses it."""
    try:
        return await call  # type: ignore[no-any-return]
    except grpc.aio.AioRpcError as error:
        if told(error)[0] != "BUDGET_EXCEEDED":
            raise
        return None


@pytest.mark.parametrize("seed", [1, 2])
async def test_random_spendings_stand_as_in_a_plain_model(  # noqa: C901 - a closure an operation
    office: Office, seed: int
) -> None:
    random, spends, metadata = Random(seed), office.replica.spends, office.credential.metadata
    model = Model(
        [
            Limit(await office.budget("20"), Decimal(20)),
            Limit(await office.budget("12", team_id=office.line[2]), Decimal(12)),
            Limit(await office.budget("9", team_id=office.line[0]), Decimal(9)),
            Limit(await office.budget("14", employee_id=office.person.employee_id), Decimal(14)),
        ]
    )

    async def spend() -> None:
        amount = Decimal(random.randrange(0, 300)) / 100
        made = await admitted(office.spend(str(amount)))
        assert model.reserve(amount) == (made is not None)
        if made is not None:
            model.held[made.id] = (made, amount)

    async def extend() -> None:
        made, before = model.held[random.choice(list(model.held))]
        more = Decimal(random.randrange(1, 200)) / 100
        request = spending_pb2.ExtendReservationRequest(
            tenant_id=str(office.id),
            reservation_id=made.id,
            estimate=spending_pb2.SpendEstimate(amount=str(more)),
        )
        extended = await admitted(spends.ExtendReservation(request, metadata=metadata))
        assert model.reserve(more) == (extended is not None)
        if extended is not None:
            model.held[made.id] = (made, before + more)

    async def release() -> None:
        chosen = random.choice(list(model.held))
        request = spending_pb2.ReleaseReservationRequest(tenant_id=str(office.id), reservation_id=chosen)
        await spends.ReleaseReservation(request, metadata=metadata)
        model.end(chosen)

    async def settle() -> None:
        chosen = random.choice(list(model.held))
        used = random.randrange(1, 1_000_000)
        await office.use(used, model.held[chosen][0])
        model.end(chosen, Decimal(used) * 2 / 1_000_000)

    async def expire() -> None:
        running = office.replica.running.runtime
        async with running.db.transaction(Scope.of(office.id)) as tx:
            rows = await Reservations(tx).lock_expired(office.id, tx.now + timedelta(hours=1), 1)
            ended = [str(row.id) for row in rows]
            await reservations.end(tx, rows, ReservationState.EXPIRED)
        for each in ended:
            model.end(each)

    async def change() -> None:
        # The enterprise's upward and the employee's below it: none comes above another by it.
        whole, own = model.limits[0], model.limits[3]
        limit, least, most = random.choice([(whole, 20, 40), (own, 14, 20)])
        amount = Decimal(random.randrange(100 * least, 100 * most)) / 100
        request = budgets_pb2.UpdateBudgetRequest(
            enterprise_id=str(office.id),
            budget=budgets_pb2.Budget(id=limit.budget.id, amount=str(amount)),
            update_mask=FieldMask(paths=["amount"]),
        )
        await office.replica.budgets.UpdateBudget(request, metadata=office.owner.metadata)
        limit.amount = amount

    for _ in range(60):
        ending = [extend, release, settle, expire] if model.held else []
        await random.choice([spend, spend, spend, change, *ending])()
        for limit in model.limits:
            status = (await office.read(limit.budget)).status
            assert (Decimal(status.spent), Decimal(status.reserved)) == (limit.spent, limit.reserved)
    while model.held:
        await random.choice([release, expire])()
    for limit in model.limits:
        assert (await office.read(limit.budget)).status.reserved == "0"

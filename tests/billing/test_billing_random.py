"""Random spendings against a plain model: what is spent and reserved of each budget, step by step."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from random import Random

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from chassis.database import Scope
from services.billing.models import ReservationState
from services.billing.spending import reservations
from services.billing.store.reservations import Reservations
from tests.billing.office import Office, told
from wrtn.billing.v1 import budgets_pb2
from wrtn.billing.v1.spending_pb2 import (
    ExtendReservationRequest,
    ReleaseReservationRequest,
    Reservation,
    SpendEstimate,
)

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
    held: dict[str, tuple[Reservation, Decimal]] = field(default_factory=dict)

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


async def admitted(call: Awaitable[Reservation]) -> Reservation | None:
    """Answers the reservation, or None if a budget refuses it."""
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        if told(error)[0] != "BUDGET_EXCEEDED":
            raise
        return None


@dataclass
class Spender:
    """Does what is drawn, at billing and in the model."""

    office: Office
    random: Random
    model: Model

    async def step(self) -> None:
        """Spends, changes a budget, or does something to what is held."""
        ending = [self.extend, self.release, self.settle, self.expire] if self.model.held else []
        await self.random.choice([self.spend, self.spend, self.spend, self.change, *ending])()

    async def spend(self) -> None:
        amount = Decimal(self.random.randrange(0, 300)) / 100
        made = await admitted(self.office.spend(str(amount)))
        assert self.model.reserve(amount) == (made is not None)
        if made is not None:
            self.model.held[made.id] = (made, amount)

    async def extend(self) -> None:
        made, before = self.model.held[self._held()]
        more = Decimal(self.random.randrange(1, 200)) / 100
        estimate = SpendEstimate(amount=str(more))
        request = ExtendReservationRequest(
            tenant_id=str(self.office.id), reservation_id=made.id, estimate=estimate
        )
        spends, by = self.office.replica.spends, self.office.credential
        extended = await admitted(spends.ExtendReservation(request, metadata=by.metadata))
        assert self.model.reserve(more) == (extended is not None)
        if extended is not None:
            self.model.held[made.id] = (made, before + more)

    async def release(self) -> None:
        chosen, by = self._held(), self.office.credential
        request = ReleaseReservationRequest(tenant_id=str(self.office.id), reservation_id=chosen)
        await self.office.replica.spends.ReleaseReservation(request, metadata=by.metadata)
        self.model.end(chosen)

    async def settle(self) -> None:
        chosen, used = self._held(), self.random.randrange(1, 1_000_000)
        await self.office.use(used, self.model.held[chosen][0])
        self.model.end(chosen, Decimal(used) * 2 / 1_000_000)

    async def expire(self) -> None:
        runtime = self.office.replica.running.runtime
        async with runtime.db.transaction(Scope.of(self.office.id)) as tx:
            rows = await Reservations(tx).lock_expired(self.office.id, tx.now + timedelta(hours=1), 1)
            ended = [str(row.id) for row in rows]
            await reservations.end(tx, rows, ReservationState.EXPIRED)
        for each in ended:
            self.model.end(each)

    async def change(self) -> None:
        # The enterprise's upward and the employee's below it: none comes above another by it.
        whole, own = self.model.limits[0], self.model.limits[3]
        limit, least, most = self.random.choice([(whole, 20, 40), (own, 14, 20)])
        amount = Decimal(self.random.randrange(100 * least, 100 * most)) / 100
        request = budgets_pb2.UpdateBudgetRequest(
            enterprise_id=str(self.office.id),
            budget=budgets_pb2.Budget(id=limit.budget.id, amount=str(amount)),
            update_mask=FieldMask(paths=["amount"]),
        )
        await self.office.replica.budgets.UpdateBudget(request, metadata=self.office.owner.metadata)
        limit.amount = amount

    async def compare(self) -> None:
        """Asserts that each budget stands as in the model."""
        request = budgets_pb2.ListBudgetsRequest(enterprise_id=str(self.office.id))
        by = self.office.owner.metadata
        listed = (await self.office.replica.budgets.ListBudgets(request, metadata=by)).budgets
        found = {each.id: (Decimal(each.status.spent), Decimal(each.status.reserved)) for each in listed}
        assert found == {each.budget.id: (each.spent, each.reserved) for each in self.model.limits}

    def _held(self) -> str:
        return self.random.choice(list(self.model.held))


@pytest.mark.parametrize("seed", [1, 2])
async def test_random_spendings_stand_as_in_a_plain_model(office: Office, seed: int) -> None:
    limits = [
        Limit(await office.budget("20"), Decimal(20)),
        Limit(await office.budget("12", team_id=office.line[2]), Decimal(12)),
        Limit(await office.budget("9", team_id=office.line[0]), Decimal(9)),
        Limit(await office.budget("14", employee_id=office.person.employee_id), Decimal(14)),
    ]
    spender = Spender(office, Random(seed), Model(limits))
    for _ in range(60):
        await spender.step()
        await spender.compare()
    while spender.model.held:
        await spender.random.choice([spender.release, spender.expire])()
    await spender.compare()
    assert {each.reserved for each in limits} == {0}

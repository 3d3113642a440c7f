"""wrtn.billing.v1 SpendService."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any
from uuid import UUID

import grpc

from chassis.call import Caller, current
from chassis.database import Scope
from chassis.errors import DomainError
from chassis.idempotency import once
from chassis.service import Runtime
from chassis.settings import ServiceSettings
from services.billing import convert
from services.billing.errors import AccountNotFound, ReservationNotFound
from services.billing.pricing.price_list import PriceList
from services.billing.spending import reservations
from services.billing.spending.deciding import Wanted
from services.billing.spending.estimates import NOTHING, Estimates
from services.billing.spending.spender import Spender
from services.billing.store.spending import Spending
from wrtn.billing.v1 import spending_pb2 as pb
from wrtn.billing.v1.spending_pb2_grpc import SpendServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]
HOLD = timedelta(minutes=10)
"""How long a reservation is held if nothing is said."""


class Spends(SpendServiceServicer):
    """Reserves what calls may cost."""

    def __init__(self, runtime: Runtime[ServiceSettings], prices: PriceList, spender: Spender) -> None:
        self._runtime = runtime
        self._estimates = Estimates(runtime.db, prices)
        self._spender = spender

    async def AuthorizeSpend(self, request: pb.AuthorizeSpendRequest, context: Context) -> pb.Reservation:
        """Its idempotency is the reservation's own: the id is the caller's."""
        tenant_id = UUID(request.tenant_id)
        if not _reaches(current().caller, tenant_id):
            raise AccountNotFound("The account does not exist.", field="account_id")
        now = self._runtime.clock.now()
        estimate = await self._estimates.of(tenant_id, request.model, request.estimate, now)
        outcome = await self._spender.authorize(
            tenant_id,
            Wanted(
                reservation_id=UUID(request.reservation_id),
                request_hash=hashlib.sha256(request.SerializeToString(deterministic=True)).digest(),
                account_id=UUID(request.account_id),
                team_id=UUID(request.team_id) if request.team_id else None,
                model=request.model,
                ask=estimate.ask,
                currency=estimate.currency,
                hold=request.hold.ToTimedelta() if request.HasField("hold") else HOLD,
                procedure_id=UUID(request.procedure_id) if request.procedure_id else None,
            ),
        )
        if isinstance(outcome, DomainError):
            raise outcome
        return convert.reservation(outcome)

    async def ExtendReservation(
        self, request: pb.ExtendReservationRequest, context: Context
    ) -> pb.Reservation:
        """What is held stays held if more does not fit."""
        tenant_id, reservation_id = _named(request)
        now = self._runtime.clock.now()
        async with self._runtime.db.snapshot(Scope.of(tenant_id)) as snapshot:
            known = (await Spending(snapshot, tenant_id).reservations([reservation_id])).get(reservation_id)
        if known is None:
            raise _not_found()
        more = NOTHING
        if request.HasField("estimate"):
            more = await self._estimates.of(tenant_id, known.model, request.estimate, now)
        hold = request.hold.ToTimedelta() if request.HasField("hold") else HOLD
        return await once(
            self._runtime.db,
            Scope.of(tenant_id),
            request,
            lambda tx: reservations.extend(tx, tenant_id, reservation_id, more.ask, hold),
        )

    async def ReleaseReservation(
        self, request: pb.ReleaseReservationRequest, context: Context
    ) -> pb.Reservation:
        """Gives back what is held."""
        tenant_id, reservation_id = _named(request)
        return await once(
            self._runtime.db,
            Scope.of(tenant_id),
            request,
            lambda tx: reservations.release(tx, tenant_id, reservation_id),
        )

    async def GetReservation(self, request: pb.GetReservationRequest, context: Context) -> pb.Reservation:
        """Gets the reservation."""
        tenant_id, reservation_id = _named(request)
        async with self._runtime.db.snapshot(Scope.of(tenant_id)) as snapshot:
            found = await Spending(snapshot, tenant_id).reservations([reservation_id])
        if reservation_id not in found:
            raise _not_found()
        return convert.reservation(found[reservation_id])


def _reaches(caller: Caller, tenant_id: UUID) -> bool:
    """Whether the credential is of the tenant, or platform-wide."""
    return caller.tenant_id is None or caller.tenant_id == tenant_id


def _named(
    request: pb.ExtendReservationRequest | pb.ReleaseReservationRequest | pb.GetReservationRequest,
) -> tuple[UUID, UUID]:
    """Answers the tenant and the reservation; raises ReservationNotFound for a tenant that is not reached."""
    tenant_id = UUID(request.tenant_id)
    if not _reaches(current().caller, tenant_id):
        raise _not_found()
    return tenant_id, UUID(request.reservation_id)


def _not_found() -> ReservationNotFound:
    return ReservationNotFound("The reservation does not exist.", field="reservation_id")

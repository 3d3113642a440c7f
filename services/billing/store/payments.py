"""The queries on payments and refunds, bound to one tenant."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from chassis.database import Snapshot
from services.billing.models import Dispute, Invoice, Payment, PaymentMethod, Refund
from wrtn.billing.v1 import payments_pb2 as pb


class Payments:
    """The payments of a tenant."""

    def __init__(self, tx: Snapshot, tenant_id: UUID) -> None:
        self._session = tx.session
        self._tenant_id = tenant_id

    async def insert(self, row: Payment) -> bool:
        """Adds a payment; False if one of its invoice is under way, or its transaction is booked."""
        values = {each.name: getattr(row, each.name) for each in Payment.__table__.columns}
        added = insert(Payment).values(values).on_conflict_do_nothing().returning(Payment.id)
        return await self._session.scalar(added) is not None

    async def get(self, payment_id: UUID, *, lock: bool = False) -> Payment | None:
        """Answers the payment, locked if it is to be changed, behind the invoice that it pays.

        Whoever begins a payment holds the invoice, and waits for the one under way: in the other order both
        would wait for each other.
        """
        key = (self._tenant_id, payment_id)
        if lock:
            whose = Payment.tenant_id == self._tenant_id
            paid = select(Payment.invoice_id).where(whose, Payment.id == payment_id).scalar_subquery()
            row = select(Invoice.id).where(Invoice.tenant_id == self._tenant_id, Invoice.id == paid)
            await self._session.execute(row.with_for_update())
        return await self._session.get(
            Payment, key, with_for_update=True if lock else None, populate_existing=lock
        )

    async def page(self, invoice_id: UUID | None, before: UUID | None, size: int) -> Sequence[Payment]:
        """Answers payments, the newest first: of an invoice, if one is named."""
        query = select(Payment).where(Payment.tenant_id == self._tenant_id)
        if invoice_id is not None:
            query = query.where(Payment.invoice_id == invoice_id)
        if before is not None:
            query = query.where(Payment.id < before)
        return (await self._session.scalars(query.order_by(Payment.id.desc()).limit(size))).all()

    async def last_top_up(self) -> Payment | None:
        """Answers the newest automatic payment for credits."""
        query = select(Payment).where(
            Payment.tenant_id == self._tenant_id, Payment.automatic, Payment.invoice_id.is_(None)
        )
        return await self._session.scalar(query.order_by(Payment.create_time.desc()).limit(1))

    async def last_top_ups_failed(self, number: int) -> bool:
        """Whether so many automatic payments for credits have failed since the last that did not."""
        query = select(Payment.state).where(
            Payment.tenant_id == self._tenant_id, Payment.automatic, Payment.invoice_id.is_(None)
        )
        states = await self._session.scalars(query.order_by(Payment.create_time.desc()).limit(number))
        return states.all() == [pb.Payment.STATE_FAILED] * number

    async def to_check(self, now: datetime, size: int) -> Sequence[UUID]:
        """Answers the payments whose provider is to be asked by now."""
        query = select(Payment.id).where(Payment.tenant_id == self._tenant_id, Payment.check_time <= now)
        return (await self._session.scalars(query.order_by(Payment.check_time).limit(size))).all()


class Refunds:
    """The refunds of a tenant."""

    def __init__(self, tx: Snapshot, tenant_id: UUID) -> None:
        self._session = tx.session
        self._tenant_id = tenant_id

    async def get(self, refund_id: UUID, *, lock: bool = False) -> Refund | None:
        """Answers the refund, locked if it is to be changed."""
        key = (self._tenant_id, refund_id)
        return await self._session.get(
            Refund, key, with_for_update=True if lock else None, populate_existing=lock
        )

    async def found_by(self, refund_id: UUID | None, provider_refund_id: str | None) -> Refund | None:
        """Answers the refund by our id or the provider's, locked."""
        named = (Refund.id == refund_id) | (Refund.provider_refund_id == provider_refund_id)
        query = select(Refund).where(Refund.tenant_id == self._tenant_id, named)
        return await self._session.scalar(query.with_for_update().execution_options(populate_existing=True))

    async def to_check(self, now: datetime, size: int) -> Sequence[UUID]:
        """Answers the refunds whose provider is to be asked by now."""
        query = select(Refund.id).where(Refund.tenant_id == self._tenant_id, Refund.check_time <= now)
        return (await self._session.scalars(query.order_by(Refund.check_time).limit(size))).all()


class Disputes:
    """The disputes of a tenant."""

    def __init__(self, tx: Snapshot, tenant_id: UUID) -> None:
        self._session = tx.session
        self._tenant_id = tenant_id

    async def get(self, dispute_id: str) -> Dispute | None:
        """Answers a dispute as its provider calls it."""
        return await self._session.get(Dispute, (self._tenant_id, dispute_id))

    async def undecided(self) -> Sequence[str]:
        """Answers those of which the provider has not said yet how they were decided, as it calls them."""
        row = Dispute
        query = select(row.provider_dispute_id).where(
            row.tenant_id == self._tenant_id, row.state == pb.Payment.STATE_DISPUTED
        )
        return (await self._session.scalars(query)).all()


async def tenants_contested(tx: Snapshot) -> Sequence[UUID]:
    """Answers the tenants with a dispute that is not decided. For the worker role, which sees no more."""
    query = select(Dispute.tenant_id).where(Dispute.state == pb.Payment.STATE_DISPUTED).distinct()
    return (await tx.session.scalars(query)).all()


async def tenants_waiting(tx: Snapshot, now: datetime) -> Sequence[UUID]:
    """Answers the tenants of whom a provider is to be asked by now. For the worker role."""
    payment, refund, method = Payment, Refund, PaymentMethod
    detaching = method.delete_time.is_not(None) & method.detach_time.is_(None)
    query = (
        select(payment.tenant_id)
        .where(payment.check_time <= now)
        .union(
            select(refund.tenant_id).where(refund.check_time <= now),
            select(method.tenant_id).where(detaching),
        )
    )
    return (await tx.session.scalars(query)).all()

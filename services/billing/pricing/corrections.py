"""Corrections: one administrator proposes, the dry run shows what would change, another one approves."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from chassis.audit.acts import PLATFORM
from chassis.database import Snapshot, Transaction
from chassis.operations import Operations
from services.billing.errors import (
    CorrectionNotFound,
    CorrectionOwn,
    CorrectionStateRefused,
    PriceNotFound,
    TimeRangeInvalid,
)
from services.billing.models import Correction
from services.billing.pricing.correcting import APPLY, PREPARE
from services.billing.pricing.price_source import EPOCH
from services.billing.pricing.rating import Rates
from services.billing.store import Prices
from services.billing.store.corrections import Corrections
from services.billing.store.prices import write_rates
from wrtn.billing.v1.corrections_pb2 import Correction as Wire


async def propose(
    tx: Transaction,
    operations: Operations,
    member_id: UUID,
    price_id: UUID,
    rates: Rates,
    span: tuple[datetime | None, datetime | None],
    reason: str,
) -> Correction:
    """Proposes a correction, and begins its dry run; raises PriceNotFound and TimeRangeInvalid."""
    start, end = span[0] or EPOCH, span[1] or tx.now
    if end <= start:
        raise TimeRangeInvalid("The end must be after the start.", field="end_time")
    if await Prices(tx).get(price_id) is None:
        raise PriceNotFound("The price does not exist.", field="price_id")
    row = _row(tx, member_id, Wire.STATE_PREPARING, start, end)
    row.price_id, row.rates = price_id, list(write_rates(rates))
    await _begin(tx, operations, PREPARE, row, member_id)
    tx.audit(
        "correction.proposed", tenant_id=PLATFORM, target_id=row.id, reason=reason, price_id=str(price_id)
    )
    return row


async def rate_unpriced(tx: Transaction, operations: Operations, member_id: UUID) -> Correction:
    """Begins to rate what has no price and could have one by now."""
    row = _row(tx, member_id, Wire.STATE_APPROVED, EPOCH, tx.now)
    await _begin(tx, operations, APPLY, row, member_id)
    tx.audit("correction.unpriced_rated", tenant_id=PLATFORM, target_id=row.id)
    return row


async def approve(
    tx: Transaction, operations: Operations, member_id: UUID, correction_id: UUID
) -> Correction:
    """Approves, and begins to apply; raises CorrectionNotFound, CorrectionOwn and CorrectionStateRefused."""
    row = await found(tx, correction_id)
    if row.proposer_member_id == member_id:
        raise CorrectionOwn("Somebody else must approve it.", field="correction_id")
    operation = await operations.begin(
        tx, APPLY, tenant_id=PLATFORM, member_id=member_id, request=correction_id.bytes
    )
    await _decide(tx, row, Wire.STATE_APPROVED, member_id, operation.id)
    return await found(tx, correction_id)


async def reject(tx: Transaction, member_id: UUID, correction_id: UUID) -> Correction:
    """Rejects, or takes back; raises CorrectionNotFound and CorrectionStateRefused."""
    await _decide(tx, await found(tx, correction_id), Wire.STATE_REJECTED, member_id, None)
    return await found(tx, correction_id)


async def found(tx: Snapshot, correction_id: UUID) -> Correction:
    """Answers the correction; raises CorrectionNotFound."""
    row = await Corrections(tx).get(correction_id)
    if row is None:
        raise CorrectionNotFound("The correction does not exist.", field="correction_id")
    return row


async def _decide(
    tx: Transaction, row: Correction, to: int, member_id: UUID, operation_id: UUID | None
) -> None:
    """Of two who decide at once one is first: the row says so."""
    corrections = Corrections(tx)
    if not await corrections.turn(row.id, to, Wire.STATE_PROPOSED, by=member_id, operation_id=operation_id):
        raise CorrectionStateRefused("Its dry run is not done, or somebody decided.", field="correction_id")
    act = "correction.approved" if to == Wire.STATE_APPROVED else "correction.rejected"
    tx.audit(act, tenant_id=PLATFORM, target_id=row.id)


def _row(tx: Transaction, member_id: UUID, state: int, start: datetime, end: datetime) -> Correction:
    return Correction(
        id=tx.clock.new_id(),
        state=state,
        price_id=None,
        rates=None,
        start_time=start,
        end_time=end,
        proposer_member_id=member_id,
        decider_member_id=None,
        create_time=tx.now,
    )


async def _begin(
    tx: Transaction, operations: Operations, kind: str, row: Correction, member_id: UUID
) -> None:
    operation = await operations.begin(
        tx, kind, tenant_id=PLATFORM, member_id=member_id, request=row.id.bytes
    )
    row.operation_id = operation.id
    tx.session.add(row)
    await tx.session.flush()

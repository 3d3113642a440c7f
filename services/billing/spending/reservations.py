"""What becomes of reservations: extended, released, settled by usages, expired.

A reservation is locked before the wallet and the periods in which it is held, everywhere in this order.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from chassis.database import Transaction
from services.billing import convert
from services.billing.errors import ReservationEnded, ReservationNotFound
from services.billing.models import Reservation, ReservationState
from services.billing.spending import token_caps
from services.billing.spending.admission import Ask, admit
from services.billing.spending.counters import counter_of, wallet_counter
from services.billing.spending.refusals import refusal_of
from services.billing.store import token_counts
from services.billing.store.reservations import Reservations
from services.billing.store.spenders import plan_of
from services.billing.store.spending import Key, Spending
from services.billing.store.token_counts import TokenCounts
from wrtn.billing.v1 import spending_pb2 as pb


@dataclass(slots=True)
class Moves:
    """What is to be added to periods, to spent and to reserved, and to what is held of wallets, by tenant."""

    spent: dict[tuple[UUID, Key], Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    reserved: dict[tuple[UUID, Key], Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    held: dict[UUID, Decimal] = field(default_factory=lambda: defaultdict(Decimal))

    def spend(self, tenant_id: UUID, keys: Iterable[Key], amount: Decimal) -> None:
        """Adds to what is spent."""
        for key in keys:
            self.spent[tenant_id, key] += amount

    def give_back(self, reservation: Reservation) -> None:
        """Takes what the reservation holds from what is reserved."""
        for key in periods_of(reservation):
            self.reserved[reservation.tenant_id, key] -= reservation.amount
        if reservation.wallet_held:
            self.held[reservation.tenant_id] -= reservation.amount


def periods_of(reservation: Reservation) -> list[Key]:
    """Answers the periods in which the reservation is held."""
    return list(zip(reservation.budget_ids, reservation.period_start_times, strict=True))


async def extend(
    tx: Transaction, tenant_id: UUID, reservation_id: UUID, more: Ask, hold: timedelta
) -> pb.Reservation:
    """Reserves more, in the periods in which the reservation is held, and prolongs it.

    Raises BudgetExceeded, RateExceeded, WalletExceeded or TokensExceeded, TokensNotEstimated, and
    ReservationEnded if nothing is held any more.
    """
    row = await _held(tx, tenant_id, reservation_id)
    queries = Spending(tx, tenant_id)
    if more.amount or more.tokens:
        await _extend_tokens(tx, row, more)
        held, terms, purse = await queries.lock(sorted(periods_of(row)))
        covering = {each.id: each for each in await Reservations(tx).targets(tenant_id, row.budget_ids)}
        counters = [
            counter_of(tenant_id, covering[key[0]], key, held[key], terms[key[0]])
            for key in periods_of(row)
            if key[0] in terms
        ]
        wallet = wallet_counter(tenant_id, purse) if row.wallet_held else None
        if wallet is not None:
            counters.append(wallet)
        no = admit(more, counters, tx.now)
        if no is not None:
            raise refusal_of(no)
        await queries.write_back(counters, tx.now)
        lifted = [key for key in periods_of(row) if key[0] not in terms]
        await Reservations(tx).move({}, {(tenant_id, key): more.amount for key in lifted}, {})
    row.amount += more.amount
    row.expire_time = max(row.expire_time, tx.now + hold)
    return convert.reservation(row)


async def _extend_tokens(tx: Transaction, row: Reservation, more: Ask) -> None:
    """Holds more of the tokens that a plan limits."""
    cap = await token_caps.locked(tx, row.tenant_id, await plan_of(tx, row.tenant_id))
    if cap is None:
        return
    refusal = cap.refusal(more, tx.now)
    if refusal is not None:
        raise refusal
    await TokenCounts(tx, row.tenant_id).hold({row.id: more.tokens})


async def release(tx: Transaction, tenant_id: UUID, reservation_id: UUID) -> pb.Reservation:
    """Gives back what is held; one that ended stays as it is."""
    row = await Reservations(tx).lock_one(tenant_id, reservation_id)
    if row is None:
        raise ReservationNotFound("The reservation does not exist.", field="reservation_id")
    if row.state == ReservationState.HELD:
        await end(tx, [row], ReservationState.RELEASED)
    return convert.reservation(row)


async def end(tx: Transaction, rows: Sequence[Reservation], state: ReservationState) -> None:
    """Ends locked reservations that are held, and gives back what they hold."""
    moves = Moves()
    for row in rows:
        moves.give_back(row)
        row.state, row.end_time = state, tx.now
    await token_counts.give_back(tx, [(row.tenant_id, row.id) for row in rows])
    await Reservations(tx).move(moves.spent, moves.reserved, moves.held)


async def _held(tx: Transaction, tenant_id: UUID, reservation_id: UUID) -> Reservation:
    row = await Reservations(tx).lock_one(tenant_id, reservation_id)
    if row is None:
        raise ReservationNotFound("The reservation does not exist.", field="reservation_id")
    if row.state != ReservationState.HELD:
        raise ReservationEnded(f"The reservation is {row.state.lower()}: authorize anew.")
    return row


def settle(
    rows: Mapping[tuple[UUID, UUID], Reservation],
    costs: Mapping[tuple[UUID, UUID], Decimal],
    moves: Moves,
    now: datetime,
) -> None:
    """Settles locked reservations, by tenant and id, by what was really spent, where they were pinned.

    One that ended before is spent whole all the same: what was used was used.
    """
    for key, cost in costs.items():
        row = rows[key]
        if row.state == ReservationState.HELD:
            moves.give_back(row)
            row.state, row.end_time = ReservationState.SETTLED, now
        row.settled_amount += cost
        moves.spend(row.tenant_id, periods_of(row), cost)

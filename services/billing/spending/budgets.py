"""Setting, changing and lifting budgets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from chassis.crypto import Keyring
from chassis.database import Snapshot, Transaction
from chassis.decimals import text
from services.billing import events
from services.billing.errors import (
    AmountInvalid,
    BudgetBelowSpent,
    BudgetExists,
    BudgetNotFound,
    EmployeeNotFound,
    EtagMismatch,
    TeamNotFound,
)
from services.billing.models import Budget, BudgetChange, BudgetPeriodRow
from services.billing.periods import span
from services.billing.spending.admission import ZERO
from services.billing.spending.setters import Decider, may_see, require_setter
from services.billing.spending.splitting import require_room
from services.billing.store.budgets import Budgets, Periods
from services.billing.store.increases import Extras
from services.billing.store.spending import Spending
from wrtn.billing.v1 import budgets_pb2 as pb

CHANGEABLE = ("amount", "thresholds", "soft", "requests_per_minute", "tokens_per_minute")
_REASON = "wrtn_budget_changes.reason"


async def create(
    tx: Transaction, keyring: Keyring, tenant_id: UUID, decider: Decider, wanted: pb.Budget
) -> tuple[Budget, BudgetPeriodRow]:
    """Sets a budget; its running period begins with what was spent in it so far.

    Raises BudgetNotYours, BudgetExists, TeamNotFound, EmployeeNotFound, BudgetAboveParent, BudgetBelowSpent.
    """
    queries = Budgets(tx, tenant_id)
    row = Budget(
        tenant_id=tenant_id,
        id=tx.clock.new_id(),
        team_id=UUID(wanted.team_id) if wanted.team_id else None,
        employee_id=UUID(wanted.employee_id) if wanted.employee_id else None,
        resource=wanted.resource,
        period=wanted.period,
        currency=await queries.lock_tenant(),
        version=1,
        create_time=tx.now,
        update_time=tx.now,
        archive_time=None,
        **terms(wanted, CHANGEABLE),
    )
    require_setter(decider.access, row, await queries.parents())
    if row.team_id is not None and not await queries.has_team(row.team_id):
        raise TeamNotFound("The team does not exist.", field="budget.team_id")
    if row.employee_id is not None and not await queries.has_employee(row.employee_id):
        raise EmployeeNotFound("The employee does not exist.", field="budget.employee_id")
    await require_room(tx, row)
    if not await queries.insert(row):
        raise BudgetExists("There is a budget for this already: change that one.", field="budget")
    period = await _begin(tx, queries, row)
    _require_enough(row, period)
    await _record(tx, keyring, row, decider)
    return row, period


async def update(
    tx: Transaction,
    keyring: Keyring,
    tenant_id: UUID,
    decider: Decider,
    budget_id: UUID,
    etag: str,
    changes: Mapping[str, Any],
) -> tuple[Budget, BudgetPeriodRow | None]:
    """Changes what of a budget can be changed; raises as `create`, BudgetNotFound and EtagMismatch.

    The running period is locked before it is compared, so that no admission comes between.
    """
    queries = Budgets(tx, tenant_id)
    await queries.lock_tenant()
    row = await _own(queries, decider, budget_id)
    if etag and etag != str(row.version):
        raise EtagMismatch("The budget was changed since: read it again.", field="budget.etag")
    period = await Periods(tx, tenant_id).lock(budget_id, tx.now)
    for name, value in changes.items():
        setattr(row, name, value)
    if "amount" in changes:
        await require_room(tx, row)
    if period is not None:
        _require_enough(row, period, await Extras(tx, tenant_id).of(row.id, tx.now))
    row.version, row.update_time = row.version + 1, tx.now
    await _record(tx, keyring, row, decider)
    return row, period


async def archive(
    tx: Transaction, keyring: Keyring, tenant_id: UUID, decider: Decider, budget_id: UUID
) -> tuple[Budget, BudgetPeriodRow | None]:
    """Lifts a budget; repeating it changes nothing. Raises BudgetNotFound and BudgetNotYours."""
    queries = Budgets(tx, tenant_id)
    await queries.lock_tenant()
    row = await _own(queries, decider, budget_id)
    if row.archive_time is None:
        row.archive_time = row.update_time = tx.now
        row.version += 1
        await _record(tx, keyring, row, decider)
    return row, await Periods(tx, tenant_id).lock(budget_id, tx.now)


def terms(wanted: pb.Budget, names: Iterable[str]) -> dict[str, Any]:
    """Answers the values of these fields as columns; raises AmountInvalid."""
    values: dict[str, Any] = {name: getattr(wanted, name) for name in names}
    if "amount" in values:
        values["amount"] = amount_of(wanted.amount)
    if "thresholds" in values:
        values["thresholds"] = sorted(Decimal(repr(each)) for each in wanted.thresholds)
    return values


def amount_of(given: str) -> Decimal:
    """Reads an amount; raises AmountInvalid."""
    try:
        amount = Decimal(given)
    except InvalidOperation:
        amount = Decimal(-1)
    _, digits, exponent = amount.as_tuple()
    if amount < 0 or not isinstance(exponent, int) or exponent < -12 or len(digits) + exponent > 15:
        raise AmountInvalid(
            "The amount must be a decimal number from 0, as in 100.50.", field="budget.amount"
        )
    return amount


async def _own(queries: Budgets, decider: Decider, budget_id: UUID) -> Budget:
    """Answers a budget that the decider may set; one that they may not even see does not exist for them."""
    row = await queries.get(budget_id)
    parents = await queries.parents()
    if row is None or not may_see(decider.access, row, parents):
        raise BudgetNotFound("The budget does not exist.", field="budget_id")
    require_setter(decider.access, row, parents)
    return row


def _require_enough(row: Budget, period: BudgetPeriodRow, extra: Decimal = ZERO) -> None:
    if row.amount + extra < period.spent + period.reserved:
        raise BudgetBelowSpent(
            "More is spent or reserved in the running period already.",
            field="budget.amount",
            spent=text(period.spent),
            reserved=text(period.reserved),
        )


def untouched(row: Budget, zone: ZoneInfo, now: datetime) -> BudgetPeriodRow:
    """Answers the period around this moment as it is before anything is spent in it."""
    running = span(row.period, zone, now)
    return BudgetPeriodRow(
        tenant_id=row.tenant_id,
        budget_id=row.id,
        start_time=running.start,
        end_time=running.end,
        spent=ZERO,
        reserved=ZERO,
        requests=0.0,
        tokens=0.0,
        drain_time=now,
    )


async def _begin(tx: Transaction, queries: Budgets, row: Budget) -> BudgetPeriodRow:
    period = untouched(row, ZoneInfo(await Spending(tx, row.tenant_id).time_zone()), tx.now)
    period.spent = await queries.spent(row, period.start_time)
    tx.session.add(period)
    return period


async def _record(tx: Transaction, keyring: Keyring, row: Budget, decider: Decider) -> None:
    change = BudgetChange(
        tenant_id=row.tenant_id,
        budget_id=row.id,
        sequence=row.version,
        archived=row.archive_time is not None,
        decider_member_id=decider.member_id,
        reason=None,
        create_time=tx.now,
        **{name: getattr(row, name) for name in CHANGEABLE},
    )
    if decider.reason:
        key = await keyring.key(tx, row.tenant_id)
        change.reason = key.encrypt(decider.reason.encode(), _REASON, row.tenant_id, row.id, str(row.version))
    await tx.session.flush()
    tx.session.add(change)
    events.budget_changed(tx, row)
    tx.audit("budget.changed", tenant_id=row.tenant_id, target_id=row.id, reason=decider.reason)


async def reason_of(tx: Snapshot, keyring: Keyring, change: BudgetChange) -> str:
    """Answers what was said of a change; empty if nothing was."""
    if change.reason is None:
        return ""
    key = await keyring.key(tx, change.tenant_id)
    return key.decrypt(
        change.reason, _REASON, change.tenant_id, change.budget_id, str(change.sequence)
    ).decode()

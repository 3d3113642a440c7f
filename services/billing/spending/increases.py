"""Requests for more budget: made by those who need it, decided by those who may set it.

What is approved is an extra that counts beside the amount of the budget until its end; nothing runs then.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from chassis.crypto import Keyring
from chassis.database import Snapshot, Transaction
from chassis.decimals import text
from services.billing import letters
from services.billing.errors import (
    AmountInvalid,
    BudgetIncreaseClosed,
    BudgetIncreaseNotFound,
    BudgetIncreaseOpen,
    BudgetNotFound,
    BudgetNotYours,
    TimeRangeInvalid,
)
from services.billing.models import Budget, BudgetExtra, BudgetIncrease
from services.billing.spending import notices
from services.billing.spending.admission import ZERO
from services.billing.spending.setters import Decider, may_see, may_set, require_setter, setting_teams
from services.billing.spending.splitting import require_room_for_more
from services.billing.store.budgets import Budgets
from services.billing.store.increases import Increases
from services.billing.store.recipients import Recipients
from wrtn.access.v1.access_pb2 import TITLE_MANAGER
from wrtn.billing.v1 import budget_increases_pb2 as pb

LONGEST = timedelta(days=366)
_REASON = "wrtn_budget_increases.reason"
_DECISION = "wrtn_budget_increases.decision_reason"


async def request(
    tx: Transaction,
    keyring: Keyring,
    tenant_id: UUID,
    requester: Decider,
    budget_id: UUID,
    amount: Decimal,
    end_time: datetime,
) -> BudgetIncrease:
    """Requests more; raises BudgetNotFound, BudgetIncreaseOpen, AmountInvalid and TimeRangeInvalid."""
    _check(amount, end_time, tx.now)
    queries = Budgets(tx, tenant_id)
    budget, parents = await queries.get(budget_id), await queries.parents()
    if budget is None or budget.archive_time or not may_see(requester.access, budget, parents):
        raise BudgetNotFound("The budget does not exist.", field="budget_id")
    increase_id = tx.clock.new_id()
    key = await keyring.key(tx, tenant_id)
    row = BudgetIncrease(
        tenant_id=tenant_id,
        id=increase_id,
        budget_id=budget_id,
        employee_id=requester.access.employee_id,
        member_id=requester.member_id,
        amount=amount,
        end_time=end_time,
        reason=key.encrypt(requester.reason.encode(), _REASON, tenant_id, increase_id),
        state=pb.BudgetIncrease.STATE_OPEN,
        decider_member_id=None,
        decision_reason=None,
        create_time=tx.now,
        decide_time=None,
    )
    if not await Increases(tx, tenant_id).insert(row):
        raise BudgetIncreaseOpen("A request of yours for this budget is open.", field="budget_id")
    tx.audit("budget_increase.requested", tenant_id=tenant_id, target_id=increase_id, reason=requester.reason)
    recipients = Recipients(tx, tenant_id)
    deciders = await recipients.chiefs(setting_teams(budget, parents)) or await recipients.payers()
    for member_id in deciders:
        if member_id != requester.member_id:
            _write(tx, budget, member_id, "budget_requested", {"amount": text(amount)})
    return row


async def decide(
    tx: Transaction,
    keyring: Keyring,
    tenant_id: UUID,
    decider: Decider,
    increase_id: UUID,
    *,
    approve: bool,
    amount: Decimal | None = None,
    end_time: datetime | None = None,
) -> BudgetIncrease:
    """Approves or refuses an open request.

    Raises BudgetIncreaseNotFound, BudgetIncreaseClosed, BudgetNotYours, BudgetAboveParent and as `request`.
    """
    queries = Budgets(tx, tenant_id)
    await queries.lock_tenant()
    row, budget = await _open(tx, tenant_id, decider, increase_id)
    require_setter(decider.access, budget, await queries.parents())
    if row.employee_id == decider.access.employee_id:
        raise BudgetNotYours("Nobody decides what they requested.")
    if approve:
        row.amount, row.end_time = amount or row.amount, end_time or row.end_time
        _check(row.amount, row.end_time, tx.now)
        extra = _extra(row, decider, tx.now)
        await require_room_for_more(tx, budget, extra)
        tx.session.add(extra)
    key = await keyring.key(tx, tenant_id)
    row.state = pb.BudgetIncrease.STATE_APPROVED if approve else pb.BudgetIncrease.STATE_REFUSED
    row.decider_member_id, row.decide_time = decider.member_id, tx.now
    row.decision_reason = key.encrypt(decider.reason.encode(), _DECISION, tenant_id, row.id)
    outcome = "approved" if approve else "refused"
    tx.audit(f"budget_increase.{outcome}", tenant_id=tenant_id, target_id=row.id, reason=decider.reason)
    fills = {"amount": text(row.amount), "outcome": outcome}
    _write(tx, budget, row.member_id, "budget_request_decided", fills)
    return row


async def withdraw(tx: Transaction, tenant_id: UUID, requester: Decider, increase_id: UUID) -> BudgetIncrease:
    """Takes an open request back; raises BudgetIncreaseNotFound for that of another, BudgetIncreaseClosed."""
    row = await Increases(tx, tenant_id).get(increase_id, lock=True)
    if row is None or row.employee_id != requester.access.employee_id:
        raise _not_found()
    _require_open(row)
    row.state, row.decide_time = pb.BudgetIncrease.STATE_WITHDRAWN, tx.now
    tx.audit("budget_increase.withdrawn", tenant_id=tenant_id, target_id=row.id)
    return row


async def visible(tx: Snapshot, tenant_id: UUID, reader: Decider, increase_id: UUID) -> BudgetIncrease:
    """Answers an increase that the reader may see; raises BudgetIncreaseNotFound."""
    row = await Increases(tx, tenant_id).get(increase_id)
    if row is None or not await _sees(tx, tenant_id, reader, row.employee_id, row.budget_id):
        raise _not_found()
    return row


async def listed_for(tx: Snapshot, tenant_id: UUID, reader: Decider, budget_id: UUID | None) -> UUID | None:
    """Answers the employee whose requests alone the reader may list; None for everybody's."""
    if reader.access.title >= TITLE_MANAGER:
        return None
    if budget_id is not None:
        queries = Budgets(tx, tenant_id)
        budget = await queries.get(budget_id)
        if budget is not None and may_set(reader.access, budget, await queries.parents()):
            return None
    return reader.access.employee_id


async def reasons_of(tx: Snapshot, keyring: Keyring, row: BudgetIncrease) -> tuple[str, str]:
    """Answers why it was asked for, and why it was decided so."""
    key = await keyring.key(tx, row.tenant_id)
    asked = key.decrypt(row.reason, _REASON, row.tenant_id, row.id).decode()
    if row.decision_reason is None:
        return asked, ""
    return asked, key.decrypt(row.decision_reason, _DECISION, row.tenant_id, row.id).decode()


async def _sees(tx: Snapshot, tenant_id: UUID, reader: Decider, employee_id: UUID, budget_id: UUID) -> bool:
    found = await listed_for(tx, tenant_id, reader, budget_id)
    return found is None or found == employee_id


async def _open(
    tx: Transaction, tenant_id: UUID, decider: Decider, increase_id: UUID
) -> tuple[BudgetIncrease, Budget]:
    row = await Increases(tx, tenant_id).get(increase_id, lock=True)
    budget = await Budgets(tx, tenant_id).get(row.budget_id) if row is not None else None
    if (
        row is None
        or budget is None
        or not await _sees(tx, tenant_id, decider, row.employee_id, row.budget_id)
    ):
        raise _not_found()
    _require_open(row)
    if budget.archive_time is not None:
        raise BudgetIncreaseClosed("The budget was lifted.", field="budget_increase_id")
    return row, budget


def _require_open(row: BudgetIncrease) -> None:
    if row.state != pb.BudgetIncrease.STATE_OPEN:
        raise BudgetIncreaseClosed("The increase was decided or withdrawn.", field="budget_increase_id")


def _check(amount: Decimal, end_time: datetime, now: datetime) -> None:
    if amount <= ZERO:
        raise AmountInvalid("The amount must be above zero.", field="amount")
    if not now < end_time <= now + LONGEST:
        raise TimeRangeInvalid("The end must lie ahead, within a year.", field="end_time")


def _extra(row: BudgetIncrease, decider: Decider, now: datetime) -> BudgetExtra:
    return BudgetExtra(
        tenant_id=row.tenant_id,
        id=row.id,
        budget_id=row.budget_id,
        amount=row.amount,
        start_time=now,
        end_time=row.end_time,
        decider_member_id=decider.member_id,
    )


def _write(tx: Transaction, budget: Budget, member_id: UUID, template: str, fills: dict[str, str]) -> None:
    level = notices.Target(budget.tenant_id, budget.team_id, budget.employee_id).level
    letters.write(tx, budget.tenant_id, member_id, template, {"level": level, **fills})


def _not_found() -> BudgetIncreaseNotFound:
    return BudgetIncreaseNotFound("The increase does not exist.", field="budget_increase_id")

"""Rows to protos and requests to values."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from chassis import timestamps
from chassis.decimals import text
from services.billing import models
from services.billing.errors import TimeRangeInvalid
from services.billing.pricing.price_source import CURRENCY
from services.billing.spending.admission import ZERO
from services.billing.store.spending import Kept
from services.billing.usage.costs import Costs
from services.billing.usage.sums import MOST_ROWS, Asked, By, Sum
from wrtn.billing.v1 import budget_increases_pb2, budgets_pb2, costs_pb2, spending_pb2
from wrtn.sessions.v1.token_usage_pb2 import Attribution

_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)
_BY = {
    costs_pb2.COST_GROUP_UNSPECIFIED: By.NOTHING,
    costs_pb2.COST_GROUP_ACCOUNT: By.ACCOUNT,
    costs_pb2.COST_GROUP_TEAM: By.TEAM,
    costs_pb2.COST_GROUP_MODEL: By.MODEL,
    costs_pb2.COST_GROUP_MEMBER: By.MEMBER,
}


def asked(request: costs_pb2.QueryCostsRequest | costs_pb2.QueryAccountCostsRequest) -> Asked:
    """Reads what a request asks for, but for the account."""
    team_id = request.team_id if isinstance(request, costs_pb2.QueryCostsRequest) else ""
    return Asked(
        _BY[request.group_by],
        start=moment(request, "start_time"),
        end=moment(request, "end_time"),
        team_id=UUID(team_id) if team_id else None,
    )


def costs(answer: Costs) -> costs_pb2.QueryCostsResponse:
    """Builds the response of a query."""
    return costs_pb2.QueryCostsResponse(
        currency=CURRENCY,
        charge_currency=answer.charge_currency,
        total=_row(answer.total),
        rows=map(_row, answer.rows[:MOST_ROWS]),
        truncated=len(answer.rows) > MOST_ROWS,
    )


def _row(found: Sum) -> costs_pb2.CostRow:
    return costs_pb2.CostRow(
        key=found.key,
        cost=text(found.cost),
        charge=text(found.charge),
        usage_count=found.usage_count,
        unpriced_count=found.unpriced_count,
        input_tokens=found.input_tokens,
        cached_input_tokens=found.cached_input_tokens,
        output_tokens=found.output_tokens,
    )


def ledger_entry(entry: models.LedgerEntry) -> costs_pb2.LedgerEntry:
    """Builds a line of the ledger."""
    return costs_pb2.LedgerEntry(
        id=str(entry.id),
        posting_id=str(entry.posting_id),
        sequence=entry.sequence,
        ledger_account=entry.ledger_account,
        amount=text(entry.amount),
        balance=text(entry.balance),
        currency=entry.currency,
        create_time=timestamps.of(entry.create_time),
    )


def moment(request: Message, field: str) -> datetime | None:
    """Reads a time that may be unset; raises TimeRangeInvalid for one that is none of ours."""
    if not request.HasField(field):
        return None
    value: Timestamp = getattr(request, field)
    try:
        found = value.ToDatetime(UTC)
    except (ValueError, OverflowError):
        found = _LATEST
    if not _EARLIEST <= found < _LATEST:
        raise TimeRangeInvalid("The time must lie between the years 1970 and 2199.", field=field)
    return found


def reservation(row: models.Reservation | Kept) -> spending_pb2.Reservation:
    """Builds a reservation."""
    return spending_pb2.Reservation(
        id=str(row.id),
        tenant_id=str(row.tenant_id),
        state=spending_pb2.Reservation.State.Value(f"STATE_{row.state}"),
        amount=text(row.amount),
        settled_amount=text(row.settled_amount),
        currency=row.currency,
        expire_time=timestamps.of(row.expire_time),
        attribution=Attribution(
            tenant_id=str(row.tenant_id),
            account_id=str(row.account_id),
            member_id=str(row.member_id),
            employee_id=str(row.employee_id or ""),
            team_id=str(row.team_id or ""),
            ancestor_team_ids=map(str, row.ancestor_team_ids),
            title=row.title,  # type: ignore[arg-type]
            role=row.role,  # type: ignore[arg-type]
        ),
        create_time=timestamps.of(row.create_time),
    )


def budget(
    row: models.Budget, period: models.BudgetPeriodRow | None, extra: Decimal = ZERO
) -> budgets_pb2.Budget:
    """Builds a budget with its running period; one that nobody has begun yet has no status.

    `extra` is what approved increases add now.
    """
    built = budgets_pb2.Budget(
        id=str(row.id),
        team_id=str(row.team_id or ""),
        employee_id=str(row.employee_id or ""),
        resource=row.resource,
        period=row.period,  # type: ignore[arg-type]
        amount=text(row.amount),
        currency=row.currency,
        thresholds=map(float, row.thresholds),
        soft=row.soft,
        requests_per_minute=row.requests_per_minute,
        tokens_per_minute=row.tokens_per_minute,
        status=_status(row, period, extra) if period is not None else None,
        etag=str(row.version),
        create_time=timestamps.of(row.create_time),
        update_time=timestamps.of(row.update_time),
    )
    if row.archive_time is not None:
        built.archive_time.CopyFrom(timestamps.of(row.archive_time))
    return built


def budget_change(row: models.Budget, change: models.BudgetChange, reason: str) -> budgets_pb2.BudgetChange:
    """Builds a change of a budget: what it was after it."""
    after = budget(row, None)
    after.amount = text(change.amount)
    after.thresholds[:] = map(float, change.thresholds)
    after.soft = change.soft
    after.requests_per_minute = change.requests_per_minute
    after.tokens_per_minute = change.tokens_per_minute
    after.etag = str(change.sequence)
    after.update_time.CopyFrom(timestamps.of(change.create_time))
    after.ClearField("archive_time")
    if change.archived:
        after.archive_time.CopyFrom(timestamps.of(change.create_time))
    return budgets_pb2.BudgetChange(
        sequence=change.sequence,
        after=after,
        decider_member_id=str(change.decider_member_id),
        reason=reason,
        create_time=timestamps.of(change.create_time),
    )


def budget_increase(
    row: models.BudgetIncrease, reason: str, decision_reason: str
) -> budget_increases_pb2.BudgetIncrease:
    """Builds a request for more budget, with its reasons as they were said."""
    built = budget_increases_pb2.BudgetIncrease(
        id=str(row.id),
        budget_id=str(row.budget_id),
        employee_id=str(row.employee_id),
        amount=text(row.amount),
        end_time=timestamps.of(row.end_time),
        reason=reason,
        state=row.state,  # type: ignore[arg-type]
        decider_member_id=str(row.decider_member_id or ""),
        decision_reason=decision_reason,
        create_time=timestamps.of(row.create_time),
    )
    if row.decide_time is not None:
        built.decide_time.CopyFrom(timestamps.of(row.decide_time))
    return built


def _status(row: models.Budget, period: models.BudgetPeriodRow, extra: Decimal) -> budgets_pb2.BudgetStatus:
    left = row.amount + extra - period.spent - period.reserved
    status = budgets_pb2.BudgetStatus(
        start_time=timestamps.of(period.start_time),
        spent=text(period.spent),
        reserved=text(period.reserved),
        left=text(max(left, ZERO)),
        overshoot=text(max(period.spent - row.amount - extra, ZERO)),
        extra=text(extra),
    )
    if period.end_time is not None:
        status.reset_time.CopyFrom(timestamps.of(period.end_time))
    return status

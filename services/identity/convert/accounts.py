"""Accounts, who held them, and transfers, as messages. Pure."""

from __future__ import annotations

from datetime import datetime

from services.identity import models
from services.identity.convert.times import timestamp
from services.identity.models import TransferState
from wrtn.identity.v1 import (
    accounts_pb2,
    transfers_pb2,
)


def account(row: models.Account) -> accounts_pb2.Account:
    """Answers an account."""
    return accounts_pb2.Account(
        id=str(row.id),
        tenant_id=str(row.tenant_id),
        kind=accounts_pb2.Account.Kind.Value(f"KIND_{row.kind}"),
        code=row.code,
        holder_member_id=str(row.holder_member_id),
        create_time=timestamp(row.create_time),
        inherited=row.inherited,
    )


def holding(row: models.AccountHolding, end_time: datetime | None) -> accounts_pb2.AccountHolding:
    """Answers a time in which one member held an account."""
    return accounts_pb2.AccountHolding(
        sequence=row.sequence,
        holder_member_id=str(row.holder_member_id),
        cause=accounts_pb2.AccountHolding.Cause.Value(f"CAUSE_{row.cause}"),
        transfer_id=str(row.transfer_id or ""),
        start_time=timestamp(row.start_time),
        end_time=timestamp(end_time),
    )


def transfer(row: models.AccountTransfer, now: datetime) -> transfers_pb2.AccountTransfer:
    """Answers a transfer; an offer has expired when its time is over, whether or not that was noted yet."""
    over = row.state == TransferState.PENDING and row.expire_time is not None and row.expire_time <= now
    state = TransferState.EXPIRED if over else row.state
    return transfers_pb2.AccountTransfer(
        id=str(row.id),
        account_id=str(row.account_id),
        tenant_id=str(row.tenant_id),
        state=transfers_pb2.AccountTransfer.State.Value(f"STATE_{state}"),
        holder_member_id=str(row.holder_member_id),
        receiver_member_id=str(row.receiver_member_id),
        decider_member_id=str(row.decider_member_id or ""),
        create_time=timestamp(row.create_time),
        expire_time=timestamp(row.expire_time),
        end_time=timestamp(row.expire_time if over else row.end_time),
    )

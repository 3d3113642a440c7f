"""Publishes what happened, in the transaction in which it happens."""

from __future__ import annotations

from uuid import UUID

from chassis.database import Transaction
from services.identity.models import Account
from wrtn.identity.v1.events_pb2 import (
    AccountOpened,
    LoginEnded,
    MemberActivated,
    ServiceCredentialRevoked,
    StaffAppointed,
)


def member_activated(tx: Transaction, member_id: UUID, version: int) -> None:
    """Tells that a member may sign in from now on."""
    tx.publish(MemberActivated(member_id=str(member_id)), aggregate_id=member_id, version=version)


def account_opened(tx: Transaction, account: Account) -> None:
    """Tells that an account was opened."""
    event = AccountOpened(
        account_id=str(account.id),
        tenant_id=str(account.tenant_id),
        holder_member_id=str(account.holder_member_id),
    )
    tx.publish(event, aggregate_id=account.id, version=account.version, tenant_id=account.tenant_id)


def login_ended(tx: Transaction, member_id: UUID, login_id: UUID, version: int) -> None:
    """Tells that a login ended, whatever the reason."""
    event = LoginEnded(login_id=str(login_id), member_id=str(member_id))
    tx.publish(event, aggregate_id=login_id, version=version)


def staff_appointed(tx: Transaction, member_id: UUID, version: int) -> None:
    """Tells that a member's right as staff changed."""
    tx.publish(StaffAppointed(member_id=str(member_id)), aggregate_id=member_id, version=version)


def credential_revoked(tx: Transaction, credential_id: UUID, version: int) -> None:
    """Tells that a credential was revoked."""
    event = ServiceCredentialRevoked(credential_id=str(credential_id))
    tx.publish(event, aggregate_id=credential_id, version=version)

"""Publishes what happened, in the transaction in which it happens."""

from __future__ import annotations

from uuid import UUID

from chassis.database import Transaction
from services.identity.models import Account, AccountTransfer, BreakGlass
from wrtn.identity.v1.events_pb2 import (
    AccountCodeChanged,
    AccountOpened,
    AccountTransferEnded,
    AccountTransferOffered,
    AccountTransferred,
    ApiKeyRevoked,
    BreakGlassOpened,
    EmailRemoved,
    EmailVerified,
    EnterpriseHoldChanged,
    LoginEnded,
    MemberActivated,
    MemberClosed,
    MemberErased,
    MemberReinstated,
    MemberSuspended,
    ServiceCredentialRevoked,
    SignInPolicyChanged,
    StaffAppointed,
)


def member_activated(tx: Transaction, member_id: UUID, version: int) -> None:
    """Tells that a member may sign in from now on."""
    tx.publish(MemberActivated(member_id=str(member_id)), aggregate_id=member_id, version=version)


def member_suspended(tx: Transaction, member_id: UUID, version: int) -> None:
    """Tells that nothing of the member is accepted any more."""
    tx.publish(MemberSuspended(member_id=str(member_id)), aggregate_id=member_id, version=version)


def member_reinstated(tx: Transaction, member_id: UUID, version: int) -> None:
    """Tells that the last hold on a member was lifted."""
    tx.publish(MemberReinstated(member_id=str(member_id)), aggregate_id=member_id, version=version)


def member_closed(tx: Transaction, member_id: UUID, version: int) -> None:
    """Tells that a member ended the membership."""
    tx.publish(MemberClosed(member_id=str(member_id)), aggregate_id=member_id, version=version)


def member_erased(tx: Transaction, member_id: UUID, version: int) -> None:
    """Tells that nothing personal of the member can be read any more."""
    tx.publish(MemberErased(member_id=str(member_id)), aggregate_id=member_id, version=version)


def email_verified(tx: Transaction, member_id: UUID, email_id: UUID, version: int) -> None:
    """Tells that a member verified a further address."""
    event = EmailVerified(email_id=str(email_id), member_id=str(member_id))
    tx.publish(event, aggregate_id=email_id, version=version)


def email_removed(tx: Transaction, member_id: UUID, email_id: UUID, version: int) -> None:
    """Tells that a verified address is free."""
    event = EmailRemoved(email_id=str(email_id), member_id=str(member_id))
    tx.publish(event, aggregate_id=email_id, version=version)


def account_opened(tx: Transaction, account: Account) -> None:
    """Tells that an account was opened."""
    event = AccountOpened(
        account_id=str(account.id),
        tenant_id=str(account.tenant_id),
        holder_member_id=str(account.holder_member_id),
    )
    tx.publish(event, aggregate_id=account.id, version=account.version, tenant_id=account.tenant_id)


def account_code_changed(tx: Transaction, account: Account) -> None:
    """Tells that an account has another code."""
    event = AccountCodeChanged(account_id=str(account.id), tenant_id=str(account.tenant_id))
    tx.publish(event, aggregate_id=account.id, version=account.version, tenant_id=account.tenant_id)


def transfer_offered(tx: Transaction, row: AccountTransfer) -> None:
    """Tells that an account is on offer."""
    event = AccountTransferOffered(
        transfer_id=str(row.id),
        account_id=str(row.account_id),
        tenant_id=str(row.tenant_id),
        holder_member_id=str(row.holder_member_id),
        receiver_member_id=str(row.receiver_member_id),
    )
    tx.publish(event, aggregate_id=row.id, version=row.version, tenant_id=row.tenant_id)


def transfer_ended(tx: Transaction, row: AccountTransfer) -> None:
    """Tells that an offer ended, and the account stays where it is."""
    event = AccountTransferEnded(
        transfer_id=str(row.id), account_id=str(row.account_id), tenant_id=str(row.tenant_id)
    )
    tx.publish(event, aggregate_id=row.id, version=row.version, tenant_id=row.tenant_id)


def account_transferred(tx: Transaction, account: Account, row: AccountTransfer) -> None:
    """Tells that an account has another holder."""
    event = AccountTransferred(
        account_id=str(account.id),
        tenant_id=str(account.tenant_id),
        old_holder_member_id=str(row.holder_member_id),
        new_holder_member_id=str(account.holder_member_id),
        transfer_id=str(row.id),
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


def api_key_revoked(tx: Transaction, member_id: UUID, key_id: UUID, version: int) -> None:
    """Tells that an API key of a member was revoked."""
    event = ApiKeyRevoked(api_key_id=str(key_id), member_id=str(member_id))
    tx.publish(event, aggregate_id=key_id, version=version)


def break_glass_opened(tx: Transaction, row: BreakGlass) -> None:
    """Tells that staff may read a tenant's content."""
    event = BreakGlassOpened(break_glass_id=str(row.id), tenant_id=str(row.tenant_id))
    tx.publish(event, aggregate_id=row.id, version=1, tenant_id=row.tenant_id)


def sign_in_policy_changed(tx: Transaction, enterprise_id: UUID, version: int) -> None:
    """Tells that an enterprise asks for something else of who acts in it."""
    event = SignInPolicyChanged(enterprise_id=str(enterprise_id))
    tx.publish(event, aggregate_id=enterprise_id, version=version, tenant_id=enterprise_id)


def enterprise_hold_changed(tx: Transaction, enterprise_id: UUID, version: int) -> None:
    """Tells that keys and credentials of an enterprise are refused from now on, or work again."""
    event = EnterpriseHoldChanged(enterprise_id=str(enterprise_id))
    tx.publish(event, aggregate_id=enterprise_id, version=version, tenant_id=enterprise_id)

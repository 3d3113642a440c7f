"""Accounts: opening them, and who holds them."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from chassis.database import Snapshot, Transaction
from chassis.errors import Aborted
from services.identity import events
from services.identity.accounts import codes
from services.identity.errors import AccountCodeInvalid, AccountCodeTaken, AccountExists, AccountNotFound
from services.identity.models import Account, AccountKind, HoldingCause
from services.identity.store import Accounts, Holdings

_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Opening:
    """The account of an employee, as enterprise wants it opened. Enterprise chooses the id."""

    account_id: UUID
    enterprise_id: UUID
    member_id: UUID


async def open_personal(tx: Transaction, account_id: UUID, member_id: UUID, display_name: str) -> Account:
    """Opens a member's own account, which is its own tenant, and as such in the scope."""
    values = _values(tx, account_id, account_id, AccountKind.PERSONAL, member_id)
    tx.session.add(account := Account(code=codes.derived(display_name), **values))
    await tx.session.flush()
    await Holdings(tx, account_id).begin(account, HoldingCause.OPENED, tx.now)
    events.account_opened(tx, account)
    return account


async def open_for_employee(tx: Transaction, opening: Opening, display_name: str) -> Account:
    """Opens the account of an employee, under a code that is free in the enterprise.

    A repetition answers the account as it is, also once it went to another; raises AccountExists if it was
    opened for another member.
    """
    found = await _as_wanted(tx, opening)
    if found is not None:
        return found
    values = _values(tx, opening.account_id, opening.enterprise_id, AccountKind.ENTERPRISE, opening.member_id)
    plain = code = codes.derived(display_name)
    for _ in range(_ATTEMPTS):
        account = await Accounts(tx).add({**values, "code": code})
        if account is not None:
            await Holdings(tx, opening.enterprise_id).begin(account, HoldingCause.OPENED, tx.now)
            events.account_opened(tx, account)
            return account
        # Either a twin of this call was faster, or the code is taken.
        found = await _as_wanted(tx, opening)
        if found is not None:
            return found
        code = codes.varied(plain, tx.clock)
    raise Aborted("The account could not be given a code; try again.", retry_after=0)


async def get_held(snapshot: Snapshot, member_id: UUID, account_id: UUID) -> Account:
    """Answers an account that the member holds; raises AccountNotFound for any other."""
    account = await Accounts(snapshot).held(member_id, account_id)
    if account is None:
        raise not_found()
    return account


def not_found() -> AccountNotFound:
    """Answers the one error for an account that does not exist and for one that the caller may not see."""
    return AccountNotFound("The account does not exist.", field="account_id")


async def recode(tx: Transaction, seen: Account, code: str) -> Account:
    """Gives an account another code; raises AccountCodeInvalid, or AccountCodeTaken by its tenant."""
    if not code or codes.derived(code) != code:
        raise AccountCodeInvalid(
            "A code has letters in lower case, digits, and single hyphens between them.", field="account.code"
        )
    account = await locked(tx, seen)
    if account.code == code:
        return account
    try:
        account = await Accounts(tx).recode(account.tenant_id, account.id, code)
    except IntegrityError as error:
        raise AccountCodeTaken(
            "Another account has this code; choose another.", field="account.code"
        ) from error
    events.account_code_changed(tx, account)
    tx.audit("account.code_changed", tenant_id=account.tenant_id, target_id=account.id)
    return account


async def locked(tx: Transaction, seen: Account) -> Account:
    """Locks an account that was seen before; raises AccountNotFound if another member holds it by now."""
    account = await Accounts(tx).in_tenant(seen.tenant_id, seen.id, lock=True)
    if account is None or account.holder_member_id != seen.holder_member_id:
        raise not_found()
    return account


async def _as_wanted(tx: Transaction, opening: Opening) -> Account | None:
    """Answers the account if it is open already; raises AccountExists if it is not the one that is wanted."""
    found = await Accounts(tx).in_tenant(opening.enterprise_id, opening.account_id)
    if found is None:
        return None
    if await Holdings(tx, opening.enterprise_id).first(opening.account_id) != opening.member_id:
        raise AccountExists("The account was opened for another member.", field="member_id")
    return found


def _values(
    tx: Transaction, account_id: UUID, tenant_id: UUID, kind: AccountKind, member_id: UUID
) -> dict[str, object]:
    return {
        "tenant_id": tenant_id,
        "id": account_id,
        "kind": kind,
        "holder_member_id": member_id,
        "inherited": False,
        "version": 1,
        "create_time": tx.now,
    }

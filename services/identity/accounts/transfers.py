"""Handing accounts over: an offer and its answer, or a decision of the enterprise."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from chassis.crypto import KeyDestroyed, Keyring
from chassis.database import Transaction
from services.identity import events
from services.identity.accounts import accounts
from services.identity.accounts.accounts import Opening, open_for_employee, open_personal
from services.identity.credentials import keys
from services.identity.errors import (
    AccountHeldByAnother,
    TransferExists,
    TransferNotFound,
    TransferNotPending,
    TransferPending,
)
from services.identity.members import members
from services.identity.models import (
    Account,
    AccountKind,
    AccountTransfer,
    HoldingCause,
    MemberState,
    TransferState,
)
from services.identity.store import Accounts, Holdings, Transfers, admit_member

LIFETIME = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Decision:
    """What the enterprise decided. It chooses the id, so that repeating it changes nothing."""

    transfer_id: UUID
    tenant_id: UUID
    account_id: UUID
    holder_member_id: UUID
    receiver_member_id: UUID
    decider_member_id: UUID | None


@dataclass(frozen=True, slots=True)
class Replacement:
    """The account that who gave their own away gets, so that everybody has one of their own."""

    account_id: UUID
    employed: bool
    """Whether they still work in the enterprise of an enterprise's account; who has left gets none."""


async def offer(tx: Transaction, seen: Account, receiver_member_id: UUID, decider: UUID) -> AccountTransfer:
    """Puts an account on offer; raises TransferPending, or AccountNotFound if it changed hands just now."""
    account = await accounts.locked(tx, seen)
    await Transfers(tx).expire(account, tx.now)
    values = {
        "tenant_id": account.tenant_id,
        "id": tx.clock.new_id(),
        "account_id": account.id,
        "state": TransferState.PENDING,
        "holder_member_id": account.holder_member_id,
        "receiver_member_id": receiver_member_id,
        "decider_member_id": decider,
        "version": 1,
        "create_time": tx.now,
        "expire_time": tx.now + LIFETIME,
    }
    added = await Transfers(tx).add(values)
    if added is None:
        raise TransferPending("The account is on offer already; take that offer back first.")
    events.transfer_offered(tx, added)
    _audit(tx, "account.offered", added)
    return added


async def accept(
    tx: Transaction, keyring: Keyring, seen: AccountTransfer, replacement: Replacement
) -> AccountTransfer:
    """Hands the account to the receiver, in whose scope this is; raises TransferNotPending.

    The scope afterwards is the old holder's.
    """
    account = await Accounts(tx).in_tenant(seen.tenant_id, seen.account_id, lock=True)
    transfer = await Transfers(tx).end(seen, TransferState.ACCEPTED, tx.now)
    if transfer is None or account is None or account.holder_member_id != transfer.holder_member_id:
        raise _not_pending()
    own = not account.inherited
    await _hand_over(tx, account, transfer, HoldingCause.ACCEPTED)
    if own:
        await _replace(tx, keyring, account, transfer.holder_member_id, replacement)
    return transfer


async def end(tx: Transaction, seen: AccountTransfer, state: TransferState) -> AccountTransfer:
    """Declines an offer or takes it back; raises TransferNotPending."""
    ended = await Transfers(tx).end(seen, state, tx.now)
    if ended is None:
        raise _not_pending()
    events.transfer_ended(tx, ended)
    _audit(tx, "account.offer_ended", ended)
    return ended


async def decide(tx: Transaction, decision: Decision) -> AccountTransfer:
    """Hands an enterprise's account over since its holder has left; the receiver's scope is this one's.

    Raises AccountNotFound, MemberNotFound, AccountHeldByAnother, or TransferExists for another body under
    the same id. A pending offer of the account ends.
    """
    if (await members.get(tx, decision.receiver_member_id)).state != MemberState.ACTIVE:
        raise members.not_found()
    account = await Accounts(tx).in_tenant(decision.tenant_id, decision.account_id, lock=True)
    if account is None or account.kind != AccountKind.ENTERPRISE:
        raise accounts.not_found()
    known = await Transfers(tx).get(decision.transfer_id)
    if known is not None:
        return _same(known, decision)
    if account.holder_member_id != decision.holder_member_id:
        raise AccountHeldByAnother("Another member holds the account.", field="holder_member_id")
    withdrawn = await Transfers(tx).withdraw(account, tx.now)
    if withdrawn is not None:
        events.transfer_ended(tx, withdrawn)
        _audit(tx, "account.offer_ended", withdrawn)
    transfer = await Transfers(tx).add(_decided(tx, decision))
    if transfer is None:
        raise TransferExists("Another transfer has this id.", field="transfer_id")
    await _hand_over(tx, account, transfer, HoldingCause.DECIDED)
    return transfer


def not_found() -> TransferNotFound:
    """Answers the one error for a transfer that does not exist and for one of others."""
    return TransferNotFound("The transfer does not exist.", field="transfer_id")


def _not_pending() -> TransferNotPending:
    return TransferNotPending("The offer was answered, taken back, or has expired.")


def _same(known: AccountTransfer, decision: Decision) -> AccountTransfer:
    ids = (known.account_id, known.holder_member_id, known.receiver_member_id, known.state)
    wanted = (decision.account_id, decision.holder_member_id, decision.receiver_member_id)
    if ids != (*wanted, TransferState.DECIDED):
        raise TransferExists("Another transfer has this id.", field="transfer_id")
    return known


def _decided(tx: Transaction, decision: Decision) -> dict[str, object]:
    return {
        "tenant_id": decision.tenant_id,
        "id": decision.transfer_id,
        "account_id": decision.account_id,
        "state": TransferState.DECIDED,
        "holder_member_id": decision.holder_member_id,
        "receiver_member_id": decision.receiver_member_id,
        "decider_member_id": decision.decider_member_id,
        "version": 1,
        "create_time": tx.now,
        "end_time": tx.now,
    }


async def _hand_over(
    tx: Transaction, account: Account, transfer: AccountTransfer, cause: HoldingCause
) -> None:
    """Gives a locked account to the receiver of the transfer."""
    account.holder_member_id = transfer.receiver_member_id
    account.inherited = True
    account.version += 1
    await tx.session.flush()
    await Holdings(tx, account.tenant_id).begin(account, cause, tx.now, transfer.id)
    await keys.end_of_account(tx, transfer.holder_member_id, account.id)
    events.account_transferred(tx, account, transfer)
    _audit(tx, "account.transferred", transfer)


def _audit(tx: Transaction, action: str, row: AccountTransfer) -> None:
    tx.audit(
        action,
        tenant_id=row.tenant_id,
        target_id=row.account_id,
        transfer_id=row.id,
        holder_member_id=row.holder_member_id,
        receiver_member_id=row.receiver_member_id,
        state=TransferState(row.state),
    )


async def _replace(
    tx: Transaction, keyring: Keyring, account: Account, member_id: UUID, replacement: Replacement
) -> None:
    """Opens another account for who gave their own away: they could not sign in or work otherwise."""
    await admit_member(tx, member_id)
    try:
        name = (await members.profile(tx, keyring, await members.get(tx, member_id))).display_name
    except KeyDestroyed:
        return
    if account.kind == AccountKind.PERSONAL:
        await open_personal(tx, replacement.account_id, member_id, name)
    elif replacement.employed:
        await open_for_employee(tx, Opening(replacement.account_id, account.tenant_id, member_id), name)

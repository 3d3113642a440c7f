"""Says that a way to sign in has changed: in the audit, and to the member by mail."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from chassis.crypto import Keyring
from chassis.database import Transaction
from services.identity.mail import mails
from services.identity.mail.post import Post

TEMPLATE = "sign_in_changed"


class Change(StrEnum):
    """What changed; the template has a sentence for each."""

    TOTP_ADDED = "totp_added"
    TOTP_REMOVED = "totp_removed"
    RECOVERY_CODES_RENEWED = "recovery_codes_renewed"
    PASSKEY_ADDED = "passkey_added"
    PASSKEY_REMOVED = "passkey_removed"
    IDENTITY_LINKED = "identity_linked"
    IDENTITY_UNLINKED = "identity_unlinked"


_ACTIONS = {
    Change.TOTP_ADDED: "second_factor.added",
    Change.TOTP_REMOVED: "second_factor.removed",
    Change.RECOVERY_CODES_RENEWED: "recovery_codes.renewed",
    Change.PASSKEY_ADDED: "passkey.added",
    Change.PASSKEY_REMOVED: "passkey.removed",
    Change.IDENTITY_LINKED: "identity.linked",
    Change.IDENTITY_UNLINKED: "identity.unlinked",
}


async def changed(
    tx: Transaction,
    keyring: Keyring,
    post: Post | None,
    member_id: UUID,
    change: Change,
    target_id: UUID | None = None,
    **details: str,
) -> None:
    """Records the change and queues a mail to the scope's member, in the transaction of the change.

    The details are those of the audit entry. Without post no mail is written.
    """
    tx.audit(_ACTIONS[change], tenant_id=member_id, target_id=target_id or member_id, **details)
    if post is not None:
        await mails.to_member(tx, keyring, post, member_id, TEMPLATE, {"change": change.value})

"""Queues mails in the transaction that wants them sent. Nothing of one is readable in the table."""

from __future__ import annotations

import asyncio
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from uuid import UUID

from chassis.crypto import DataKey
from chassis.database import Transaction
from services.identity.models import Mail, MailState

_MESSAGE = "message"
"""The context that binds a ciphertext to its column."""


class Post:
    """Where mails are posted. `sender` is the From address, `public_url` where links lead, if anywhere."""

    def __init__(self, *, sender: str, public_url: str | None) -> None:
        self.sender = sender
        self.public_url = public_url
        self.posted = asyncio.Event()
        """Set when a mail was queued in this process: it need not wait for the next look at the table."""

    def queue(self, tx: Transaction, key: DataKey, member_id: UUID, message: EmailMessage) -> None:
        """Queues a mail in this transaction, under the member's key; it leaves after the commit."""
        mail_id = tx.clock.new_id()
        message["Date"] = tx.now
        # The same at each attempt, so that a reader's server can tell a mail that came twice.
        message["Message-ID"] = f"<{mail_id}@{self.sender.rpartition('@')[2].rstrip('>')}>"
        tx.session.add(
            Mail(
                id=mail_id,
                member_id=member_id,
                message=key.encrypt(message.as_bytes(policy=policy.SMTP), member_id, mail_id, _MESSAGE),
                state=MailState.QUEUED,
                attempts=0,
                next_attempt_time=tx.now,
                create_time=tx.now,
            )
        )
        tx.after_commit(self.posted.set)


def opened(key: DataKey, mail: Mail) -> EmailMessage:
    """Decrypts a queued mail."""
    plain = key.decrypt(mail.message or b"", mail.member_id, mail.id, _MESSAGE)
    message = BytesParser(EmailMessage, policy=policy.default).parsebytes(plain)
    return message

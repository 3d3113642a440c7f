"""Queues mails in the transaction that wants them sent. Nothing of one is readable in the table."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from uuid import UUID

from chassis.crypto import DataKey
from chassis.database import Transaction
from services.identity.mail.letters import Letter, Letters
from services.identity.models import Mail, MailState

_MESSAGE = "message"
"""The context that binds a ciphertext to its column."""
_LONGEST_LINE = 900
"""Bytes of a line that mail servers carry as it is; RFC 5322 allows 998."""


class Post:
    """Where mails are posted. `sender` is the From address, `public_url` where links lead, if anywhere."""

    def __init__(self, *, sender: str, public_url: str | None) -> None:
        self._sender = sender
        self._letters = Letters(public_url=public_url)
        self.posted = asyncio.Event()
        """Set when a mail was queued in this process: it need not wait for the next look at the table."""

    def letter(self, template: str, locale: str, values: Mapping[str, str]) -> Letter:
        """Fills a template in; raises MailTemplateUnknown and MailValueMissing."""
        return self._letters.write(template, locale, values)

    def queue(self, tx: Transaction, key: DataKey, address: str, letter: Letter) -> UUID:
        """Queues a mail in this transaction, under the key of its owner; it leaves after the commit.

        `address` is one that addresses.parsed has let pass. Answers the id of the mail.
        """
        mail_id = tx.clock.new_id()
        message = _composed(self._sender, address, letter)
        message["Date"] = tx.now
        # The same at each attempt, so that a reader's server can tell a mail that came twice.
        message["Message-ID"] = f"<{mail_id}@{self._sender.rpartition('@')[2].rstrip('>')}>"
        sealed = key.encrypt(message.as_bytes(policy=policy.SMTP), key.owner_id, mail_id, _MESSAGE)
        tx.session.add(
            Mail(
                id=mail_id,
                member_id=key.owner_id,
                message=sealed,
                state=MailState.QUEUED,
                attempts=0,
                next_attempt_time=tx.now,
                create_time=tx.now,
            )
        )
        tx.after_commit(self.posted.set)
        return mail_id


def opened(key: DataKey, mail: Mail) -> EmailMessage:
    """Decrypts a queued mail."""
    plain = key.decrypt(mail.message or b"", mail.member_id, mail.id, _MESSAGE)
    message = BytesParser(EmailMessage, policy=policy.default).parsebytes(plain)
    return message


def _composed(sender: str, address: str, letter: Letter) -> EmailMessage:
    message = EmailMessage()
    message["From"] = sender
    message["To"] = address
    message["Subject"] = letter.subject
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(letter.text, cte=_encoding(letter.text))
    message.add_alternative(letter.html, subtype="html", cte=_encoding(letter.html))
    return message


def _encoding(text: str) -> str:
    """Plain where that is possible: a long link stays on its line, also for who reads the raw mail."""
    plain = text.isascii() and all(len(line) <= _LONGEST_LINE for line in text.splitlines())
    return "7bit" if plain else "quoted-printable"

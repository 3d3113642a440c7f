"""A real SMTP server of the tests, which keeps what it is sent and refuses what it is told to."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP

PATIENCE = 10.0


class Mailbox:
    """What arrived. `refuse` is the answer to every message while it is set."""

    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []
        self.refuse = ""
        self.attempts = 0
        self.port = 0
        self._changed = asyncio.Condition()
        self._to: dict[str, list[EmailMessage]] = {}

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        """Takes a message."""
        async with self._changed:
            self.attempts += 1
            if not self.refuse:
                parsed = message_from_bytes(envelope.content, EmailMessage, policy=policy.default)
                self.messages.append(parsed)
                # Reading a header parses it: once for each message, however often somebody looks.
                self._to.setdefault(str(parsed["To"]), []).append(parsed)
            self._changed.notify_all()
        return self.refuse or "250 OK"

    @contextmanager
    def refusing(self, answer: str) -> Iterator[None]:
        """Refuses every message for as long as the block runs."""
        self.refuse = answer
        try:
            yield
        finally:
            self.refuse = ""

    def to(self, address: str) -> list[EmailMessage]:
        """Answers what arrived for an address."""
        return list(self._to.get(address, ()))

    async def wait_for(self, address: str, count: int = 1) -> EmailMessage:
        """Waits until this many mails have arrived for the address, and answers the last."""
        async with self._changed, asyncio.timeout(PATIENCE):
            await self._changed.wait_for(lambda: len(self.to(address)) >= count)
        return self.to(address)[-1]

    async def wait_for_attempts(self, count: int) -> None:
        """Waits until this many messages were offered, refused ones included."""
        async with self._changed, asyncio.timeout(PATIENCE):
            await self._changed.wait_for(lambda: self.attempts >= count)


def text_of(message: EmailMessage) -> str:
    """Answers the plain text."""
    body = message.get_body(("plain",))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


def code_in(message: EmailMessage) -> str:
    """Answers the token that stands on its own line."""
    found = re.search(r"^Code: (\S+)$", text_of(message), re.MULTILINE)
    assert found, "no code in the mail"
    return found[1]


@asynccontextmanager
async def smtp_server(mailbox: Mailbox) -> AsyncIterator[Mailbox]:
    """Serves on the loopback, on the mailbox's port or a free one, for as long as the block runs."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(mailbox, hostname="localhost", loop=loop), "127.0.0.1", mailbox.port
    )
    mailbox.port = server.sockets[0].getsockname()[1]
    try:
        yield mailbox
    finally:
        server.close()
        await server.wait_closed()

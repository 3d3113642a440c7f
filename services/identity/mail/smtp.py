"""The SMTP server that mails leave through, and what its refusals mean."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from email.message import EmailMessage
from types import TracebackType
from urllib.parse import unquote, urlsplit

import aiosmtplib

TIMEOUT = 10.0
"""Seconds for each exchange with the server."""

SEND_FAILURES = (aiosmtplib.SMTPException, OSError, TimeoutError)
"""Whatever can go wrong between us and the server."""


@dataclass(frozen=True, slots=True)
class MailServer:
    """An SMTP server."""

    host: str
    port: int
    tls: bool = False
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    @classmethod
    def of(cls, url: str) -> MailServer:
        """Reads smtp://user:password@host:587 or smtps://host; raises ValueError for anything else."""
        parts = urlsplit(url)
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
            raise ValueError("an SMTP server is named as smtp://host:port or smtps://host:port")
        tls = parts.scheme == "smtps"
        username, password = (unquote(text) if text else None for text in (parts.username, parts.password))
        return cls(parts.hostname, parts.port or (465 if tls else 25), tls, username, password)


class Connection:
    """A connection that is opened with the first mail, and again after it broke. Close it by its block."""

    def __init__(self, server: MailServer) -> None:
        self._server = server
        self._client: aiosmtplib.SMTP | None = None

    async def __aenter__(self) -> Connection:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close(politely=error is None or isinstance(error, Exception))

    async def send(self, message: EmailMessage) -> None:
        """Hands the message to the server; raises one of SEND_FAILURES."""
        try:
            client = self._client or await self._opened()
            await client.send_message(message)
        except SEND_FAILURES:
            # After a failure it is not known how far the exchange got: the next mail gets a fresh connection.
            await self._close()
            raise

    async def _opened(self) -> aiosmtplib.SMTP:
        """Connects. Without TLS from the start, it is upgraded to where the server offers that."""
        server = self._server
        self._client = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            use_tls=server.tls,
            username=server.username,
            password=server.password,
            timeout=TIMEOUT,
        )
        await self._client.connect()
        return self._client

    async def _close(self, *, politely: bool = True) -> None:
        """Says goodbye, unless we are being cancelled and have no time for an answer."""
        client, self._client = self._client, None
        if client is None:
            return
        if politely:
            with contextlib.suppress(*SEND_FAILURES):
                await client.quit()
        client.close()


def is_final(error: BaseException) -> bool:
    """Says whether the server refused this mail for good: a 5xx to its recipient or its text."""
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        return all(500 <= refused.code < 600 for refused in error.recipients)
    return isinstance(error, aiosmtplib.SMTPDataError) and 500 <= error.code < 600


def described(error: BaseException) -> str:
    """Names a failure by its class and code. The server's text may quote the address: it stays out."""
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        return f"SMTPRecipientsRefused {sorted({refused.code for refused in error.recipients})}"
    code = getattr(error, "code", "")
    return f"{type(error).__name__} {code}".strip()

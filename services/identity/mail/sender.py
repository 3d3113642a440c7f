"""Sends the mails that are queued, in the background of every replica.

A mail leaves at least once: it is claimed, sent, and then marked as sent. Who dies between leaves it to
the next claim. Failures are tried again with growing delays until the purge deletes the mail; one that the
server refuses for good is kept as refused until then.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import timedelta
from time import monotonic
from typing import Any

import structlog
from sqlalchemy import select, update

from chassis.crypto import KeyDestroyed, Keyring
from chassis.database import Database, Scope
from chassis.errors import DomainError
from services.identity.mail.post import Post, opened
from services.identity.mail.smtp import Connection, MailServer, described, is_final
from services.identity.models import Mail, MailState

CLAIM = timedelta(seconds=40)
"""For how long a claimed mail is left to its claimer."""
_PATIENCE = 15.0
"""Seconds after a claim in which another mail is begun: one that hangs ends well within CLAIM."""
BATCH = 20
IDLE = 5.0
"""Seconds between looks at the table."""
_FIRST_DELAY = timedelta(seconds=2)
_LONGEST_DELAY = timedelta(minutes=15)

_log = structlog.get_logger("identity.sender")


class Sender:
    """Sends what is due until it is stopped."""

    def __init__(self, db: Database, keyring: Keyring, post: Post, server: MailServer) -> None:
        self._db = db
        self._keyring = keyring
        self._post = post
        self._server = server
        self._task: asyncio.Task[None] | None = None
        self._stopping = False

    async def start(self) -> None:
        """Begins to send in the background."""
        self._task = asyncio.create_task(self._run(), name="mail sender")

    async def stop(self) -> None:
        """Stops at once; what was under way is sent again later, under its Message-ID."""
        self._stopping = True
        # Again and again: the SMTP client waits by asyncio.wait_for, which may swallow a cancellation
        # that comes together with the answer (Python before 3.12).
        while self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task], timeout=0.5)

    async def send_due(self) -> int:
        """Claims the mails that are due, sends them, and answers how many it claimed."""
        claimed = await self._claim()
        began = monotonic()
        async with Connection(self._server) as connection:
            for mail in claimed:
                if monotonic() - began < _PATIENCE:
                    await self._send(connection, mail)
        return len(claimed)

    async def _run(self) -> None:
        while not self._stopping:
            self._post.posted.clear()
            try:
                more = await self.send_due() == BATCH
            except DomainError as error:
                _log.warning("the mails cannot be read", error=type(error).__name__)
                more = False
            if not more:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(IDLE):
                        await self._post.posted.wait()

    async def _claim(self) -> Sequence[Mail]:
        async with self._db.transaction(Scope()) as tx:
            due = (
                select(Mail.id)
                .where(Mail.state == MailState.QUEUED, Mail.next_attempt_time <= tx.now)
                .order_by(Mail.next_attempt_time)
                .limit(BATCH)
                .with_for_update(skip_locked=True)
            )
            claimed = (
                update(Mail)
                .where(Mail.id.in_(due))
                .values(attempts=Mail.attempts + 1, next_attempt_time=tx.now + CLAIM)
                .returning(Mail)
            )
            return (await tx.session.scalars(claimed)).all()

    async def _send(self, connection: Connection, mail: Mail) -> None:
        try:
            async with self._db.snapshot(Scope.of(member_id=mail.member_id)) as snapshot:
                message = opened(await self._keyring.key(snapshot, mail.member_id), mail)
            await connection.send(message)
        except KeyDestroyed as error:
            # The member is erased: nobody can read this any more, and nobody shall.
            await self._settle(mail, state=MailState.REFUSED, last_error=described(error), message=None)
        except Exception as error:  # noqa: BLE001 - a mail that breaks us is that one's failure and no other's
            await self._failed(mail, error)
        else:
            await self._settle(mail, state=MailState.SENT, message=None)

    async def _failed(self, mail: Mail, error: BaseException) -> None:
        _log.warning("a mail was not sent", mail_id=mail.id, attempts=mail.attempts, error=described(error))
        if is_final(error):
            await self._settle(mail, state=MailState.REFUSED, last_error=described(error))
        else:
            await self._settle(mail, delay_after(mail.attempts), last_error=described(error))

    async def _settle(self, mail: Mail, delay: timedelta | None = None, **values: Any) -> None:
        """Writes down what became of a mail; with `delay` it is tried again after that."""
        async with self._db.transaction(Scope()) as tx:
            if delay is not None:
                values["next_attempt_time"] = tx.now + delay
            elif values["state"] == MailState.SENT:
                values["send_time"] = tx.now
            await tx.session.execute(update(Mail).where(Mail.id == mail.id).values(values))


def delay_after(attempts: int) -> timedelta:
    """Answers how long to wait after so many failed attempts: 2 s, doubling up to a quarter of an hour."""
    doublings = max(0, min(attempts - 1, 20))
    return min(_FIRST_DELAY * (1 << doublings), _LONGEST_DELAY)

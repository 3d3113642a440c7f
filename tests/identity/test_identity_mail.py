"""How mails leave: at least once, whatever fails."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import text

from chassis.clock import Clock
from chassis.crypto import Keyring
from chassis.database import Scope
from chassis.embedded.nats import Nats
from chassis.embedded.postgres import Postgres
from chassis.testing.callers import Callers
from chassis.testing.databases import DatabaseFactory, ServiceDatabase
from chassis.testing.waiting import until
from services.identity.mail import sender
from services.identity.mail.post import Post, opened
from services.identity.mail.sender import Sender, delay_after
from services.identity.mail.smtp import Connection, MailServer
from tests.identity import make, service
from tests.identity.service import Identity, MovableClock
from tests.identity.smtp_server import Mailbox, smtp_server


async def settled(identity: Identity, state: str) -> list[tuple[int, str | None, bytes | None]]:
    """Waits until every mail is in this state; answers attempts, error and content of each."""

    async def found() -> list[tuple[int, str | None, bytes | None]]:
        rows = await make.rows(identity, "SELECT state, attempts, last_error, message FROM wrtn_mails")
        done = all(row.state == state for row in rows)
        return [(row.attempts, row.last_error, row.message) for row in rows] if done else []

    return await until(found)


def another_sender(identity: Identity) -> Sender:
    """Makes the sender of another replica, which the test runs by hand."""
    runtime = identity.running.runtime
    post = Post(sender="no-reply@example.com", public_url=service.PUBLIC_URL)
    server = MailServer("127.0.0.1", identity.mailbox.port)
    return Sender(runtime.db, runtime.keyring, post, server)


@dataclass
class PostOffice:
    """Queues and senders without the service, so that nobody else sends."""

    database: ServiceDatabase
    keyring: Keyring
    mailbox: Mailbox
    post: Post

    async def queue(self) -> str:
        """Queues a mail and answers its address."""
        member_id, email = Clock().new_id(), make.fresh_email()
        async with self.database.app.transaction(Scope.of(member_id=member_id)) as tx:
            key = await self.keyring.key(tx, member_id)
            self.post.queue(tx, key, email, self.post.letter("already_registered", "en", {}))
        return email

    def sender(self, port: int = 0) -> Sender:
        """Makes the sender of one more replica."""
        server = MailServer("127.0.0.1", port or self.mailbox.port)
        return Sender(self.database.app, self.keyring, self.post, server)

    async def only(self) -> Any:
        """Answers the row of the only mail."""
        async with self.database.app.snapshot(Scope()) as snapshot:
            return (await snapshot.session.execute(text("SELECT * FROM wrtn_mails"))).one()


@pytest_asyncio.fixture
async def office(
    database: DatabaseFactory, mailbox: Mailbox, keyring_file: Path, clock: MovableClock
) -> PostOffice:
    """A post office over a fresh database."""
    post = Post(sender="no-reply@example.com", public_url=service.PUBLIC_URL)
    return PostOffice(await database("identity"), Keyring.from_file(keyring_file), mailbox, post)


async def test_a_mail_that_is_refused_for_now_is_tried_again_after_a_while(
    office: PostOffice, clock: MovableClock
) -> None:
    office.mailbox.refuse = "451 come again"
    email = await office.queue()
    assert await office.sender().send_due() == 1
    office.mailbox.refuse = ""
    assert await office.sender().send_due() == 0, "it waits"
    clock.ahead += delay_after(1)
    assert await office.sender().send_due() == 1
    row = await office.only()
    assert (row.state, row.attempts, row.last_error) == ("SENT", 2, "SMTPDataError 451")
    assert len(office.mailbox.to(email)) == 1


async def test_a_mail_whose_sender_died_is_sent_by_the_next(office: PostOffice, clock: MovableClock) -> None:
    """A claim that nobody settled ends by itself, and not before."""
    email = await office.queue()
    await office.sender()._claim()
    assert await office.sender().send_due() == 0
    clock.ahead += sender.CLAIM
    assert await office.sender().send_due() == 1
    assert len(office.mailbox.to(email)) == 1


async def test_a_mail_that_leaves_twice_has_one_message_id(office: PostOffice, clock: MovableClock) -> None:
    """Who dies between sending and marking leaves a mail that is sent again."""
    email = await office.queue()
    doomed = office.sender()
    claimed = await doomed._claim()
    async with Connection(MailServer("127.0.0.1", office.mailbox.port)) as connection:
        async with office.database.app.snapshot(Scope.of(member_id=claimed[0].member_id)) as snapshot:
            key = await office.keyring.key(snapshot, claimed[0].member_id)
        await connection.send(opened(key, claimed[0]))
    clock.ahead += sender.CLAIM
    await office.sender().send_due()
    assert len({mail["Message-ID"] for mail in office.mailbox.to(email)}) == 1
    assert len(office.mailbox.to(email)) == 2


async def test_the_sender_stops_at_once_also_when_the_server_is_silent(office: PostOffice) -> None:
    connected = asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.set()
        await reader.read()
        writer.close()

    silent = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    await office.queue()
    stuck = office.sender(silent.sockets[0].getsockname()[1])
    await stuck.start()
    async with asyncio.timeout(3):
        await connected.wait()
        await stuck.stop()
    silent.close()
    assert (await office.only()).state == "QUEUED"


async def test_the_sender_stops_also_when_a_cancellation_is_swallowed(
    office: PostOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before Python 3.12 asyncio.wait_for, by which the SMTP client waits, may do so."""
    entered = asyncio.Event()

    async def swallowing(*_: object) -> None:
        entered.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()

    monkeypatch.setattr(Connection, "send", swallowing)
    await office.queue()
    deaf = office.sender()
    await deaf.start()
    async with asyncio.timeout(3):
        await entered.wait()
        await deaf.stop()


async def test_the_mails_of_an_erased_member_are_not_sent(office: PostOffice) -> None:
    email = await office.queue()
    row = await office.only()
    async with office.database.app.transaction(Scope.of(member_id=row.member_id)) as tx:
        await office.keyring.destroy(tx, row.member_id)
    assert await office.sender().send_due() == 1
    row = await office.only()
    assert (row.state, row.message, row.last_error) == ("REFUSED", None, "KeyDestroyed")
    assert office.mailbox.to(email) == []


async def test_what_was_sent_is_no_longer_kept(alone: Identity) -> None:
    email = make.fresh_email()
    await make.register(alone, email)
    await alone.mailbox.wait_for(email)
    assert await settled(alone, "SENT") == [(1, None, None)]


async def test_a_mail_that_is_refused_for_good_is_kept_for_an_operator(alone: Identity) -> None:
    alone.mailbox.refuse = "550 no such user"
    email = make.fresh_email()
    await make.register(alone, email)
    ((attempts, error, message),) = await settled(alone, "REFUSED")
    assert (attempts, error) == (1, "SMTPDataError 550")
    assert message is not None


async def test_an_outage_of_the_server_loses_no_mail(
    database: DatabaseFactory,
    nats: Nats,
    callers: Callers,
    clock: MovableClock,
    postgres: Postgres,
    tmp_path: Path,
) -> None:
    mailbox, email = Mailbox(), make.fresh_email()
    async with smtp_server(mailbox):
        pass  # Its port is known now, and nobody listens there.
    made = await database("identity")
    chosen = service.settings(made, nats, mailbox, callers, tmp_path)
    async with service.serving(chosen, made, mailbox, callers, postgres.url(made.name), clock) as identity:
        await make.register(identity, email)
        failed = "SELECT 1 FROM wrtn_mails WHERE last_error IS NOT NULL"
        await until(lambda: make.rows(identity, failed))
        async with smtp_server(mailbox):
            clock.ahead += timedelta(minutes=1)
            await another_sender(identity).send_due()
            await mailbox.wait_for(email)


async def test_ten_senders_at_once_send_each_mail_once(alone: Identity) -> None:
    emails = [make.fresh_email() for _ in range(12)]
    await asyncio.gather(*(make.register(alone, email) for email in emails))
    senders = [another_sender(alone) for _ in range(10)]
    await asyncio.gather(*(each.send_due() for each in senders))
    await asyncio.gather(*(alone.mailbox.wait_for(email) for email in emails))
    await settled(alone, "SENT")
    assert sorted(str(message["To"]) for message in alone.mailbox.messages) == sorted(emails)


async def test_a_mail_that_cannot_be_decrypted_stops_no_other(alone: Identity) -> None:
    await make.as_superuser(
        alone,
        "INSERT INTO wrtn_mails (id, member_id, message, state, attempts, next_attempt_time, create_time)"
        " VALUES (uuidv7(), uuidv7(), 'rubbish', 'QUEUED', 0, now() - interval '1 hour', now())",
    )
    email = make.fresh_email()
    await make.register(alone, email)
    await alone.mailbox.wait_for(email)


@pytest.mark.parametrize(
    ("attempts", "seconds"), [(0, 2), (1, 2), (2, 4), (3, 8), (9, 512), (10, 900), (1000, 900)]
)
def test_delays_double_up_to_a_quarter_of_an_hour(attempts: int, seconds: int) -> None:
    assert delay_after(attempts) == timedelta(seconds=seconds)


def test_a_claim_outlasts_the_slowest_mail_that_is_begun_under_it() -> None:
    assert sender.CLAIM.total_seconds() > sender._PATIENCE + 2 * 10


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://127.0.0.1:1025", MailServer("127.0.0.1", 1025)),
        ("smtp://mail.example.com", MailServer("mail.example.com", 25)),
        ("smtps://u%40x:p%3Aw@mail.example.com", MailServer("mail.example.com", 465, True, "u@x", "p:w")),
    ],
)
def test_a_mail_server_is_named_by_a_url(url: str, server: MailServer) -> None:
    assert MailServer.of(url) == server
    assert "p:w" not in repr(server)


@pytest.mark.parametrize("url", ["", "http://example.com", "smtp://", "127.0.0.1:1025"])
def test_another_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="SMTP server"):
        MailServer.of(url)

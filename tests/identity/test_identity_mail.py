"""How mails leave: at least once, whatever fails."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from chassis.embedded.nats import Nats
from chassis.embedded.postgres import Postgres
from chassis.testing.callers import Callers
from chassis.testing.databases import DatabaseFactory
from services.identity import sender
from services.identity.post import Post
from services.identity.sender import Sender, delay_after
from services.identity.smtp import MailServer
from tests.identity import make
from tests.identity.make import Identity, MovableClock
from tests.identity.smtp_server import Mailbox, smtp_server


async def settled(identity: Identity, state: str) -> list[tuple[int, str | None, bytes | None]]:
    """Waits until every mail is in this state; answers attempts, error and content of each."""

    async def found() -> list[tuple[int, str | None, bytes | None]]:
        rows = await make.rows(identity, "SELECT state, attempts, last_error, message FROM wrtn_mails")
        done = all(row.state == state for row in rows)
        return [(row.attempts, row.last_error, row.message) for row in rows] if done else []

    return await make.until(found)


def another_sender(identity: Identity) -> Sender:
    """Makes the sender of another replica, which the test runs by hand."""
    runtime = identity.running.runtime
    post = Post(sender="no-reply@example.com", public_url=make.PUBLIC_URL)
    server = MailServer("127.0.0.1", identity.mailbox.port)
    return Sender(runtime.db, runtime.keyring, post, server)


async def test_what_was_sent_is_no_longer_kept(identity: Identity) -> None:
    email = make.fresh_email()
    await make.register(identity, email)
    await identity.mailbox.wait_for(email)
    assert await settled(identity, "SENT") == [(1, None, None)]


async def test_a_mail_that_is_refused_for_now_is_tried_again(identity: Identity, clock: MovableClock) -> None:
    identity.mailbox.refuse = "451 come again"
    email = make.fresh_email()
    await make.register(identity, email)
    await identity.mailbox.wait_for_attempts(1)
    identity.mailbox.refuse = ""
    clock.ahead = timedelta(minutes=1)
    assert await another_sender(identity).send_due() <= 1
    await identity.mailbox.wait_for(email)
    ((attempts, error, _),) = await settled(identity, "SENT")
    assert attempts >= 2
    assert error == "SMTPDataError 451"


async def test_a_mail_that_is_refused_for_good_is_kept_for_an_operator(identity: Identity) -> None:
    identity.mailbox.refuse = "550 no such user"
    email = make.fresh_email()
    await make.register(identity, email)
    ((attempts, error, message),) = await settled(identity, "REFUSED")
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
    chosen = make.settings(made, nats, mailbox, callers, tmp_path)
    async with make.serving(chosen, made, mailbox, callers, postgres.url(made.name), clock) as identity:
        await make.register(identity, email)
        failed = "SELECT 1 FROM wrtn_mails WHERE last_error IS NOT NULL"
        await make.until(lambda: make.rows(identity, failed))
        async with smtp_server(mailbox):
            clock.ahead = timedelta(minutes=1)
            await another_sender(identity).send_due()
            await mailbox.wait_for(email)


async def test_a_mail_whose_sender_died_is_sent_by_the_next(identity: Identity, clock: MovableClock) -> None:
    """A claim that nobody settled ends by itself, and not before."""
    identity.mailbox.refuse = "451 come again"
    email = make.fresh_email()
    await make.register(identity, email)
    await identity.mailbox.wait_for_attempts(1)
    identity.mailbox.refuse = ""
    clock.ahead = timedelta(minutes=1)
    dead, heir = another_sender(identity), another_sender(identity)
    claimed = await dead._claim()
    if not claimed:
        pytest.skip("the service's own sender was faster")
    assert await heir.send_due() == 0
    clock.ahead += sender.CLAIM
    assert await heir.send_due() == 1
    await identity.mailbox.wait_for(email)


async def test_ten_senders_at_once_send_each_mail_once(identity: Identity) -> None:
    emails = [make.fresh_email() for _ in range(12)]
    await asyncio.gather(*(make.register(identity, email) for email in emails))
    senders = [another_sender(identity) for _ in range(10)]
    await asyncio.gather(*(each.send_due() for each in senders))
    await asyncio.gather(*(identity.mailbox.wait_for(email) for email in emails))
    await settled(identity, "SENT")
    assert sorted(str(message["To"]) for message in identity.mailbox.messages) == sorted(emails)


async def test_a_mail_that_cannot_be_decrypted_stops_no_other(identity: Identity) -> None:
    await make.as_superuser(
        identity,
        "INSERT INTO wrtn_mails (id, member_id, message, state, attempts, next_attempt_time, create_time)"
        " VALUES (uuidv7(), uuidv7(), 'rubbish', 'QUEUED', 0, now() - interval '1 hour', now())",
    )
    email = make.fresh_email()
    await make.register(identity, email)
    await identity.mailbox.wait_for(email)


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

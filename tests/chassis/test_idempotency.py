"""Idempotency: the same request has one effect and one answer, however often and however it comes."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest
from google.protobuf.wrappers_pb2 import StringValue

from chassis.audit.acts import Unaudited
from chassis.call import Call, Caller, CallerKind, current, enter, rests_on_staff
from chassis.clock import Clock
from chassis.database import Database, Scope, Transaction
from chassis.idempotency import KeyReused, once, purge, replayed
from chassis.testing.databases import ServiceDatabase
from wrtn.identity.v1.auth_pb2 import IssueServiceTokenResponse

NEW = Clock().new_id


@pytest.fixture
def db(service_database: ServiceDatabase) -> Database:
    return service_database.app


def calling(key: str, member: UUID | None = None, method: str = "/sample/Do") -> None:
    caller = Caller(CallerKind.MEMBER, member_id=member) if member else Caller()
    enter(Call(method, caller, idempotency_key=key))


class Work:
    """A use case that writes a note and answers how often it ran."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.tenant = NEW()
        self.runs = 0

    async def send(self, text: str = "same") -> str:
        answer = await once(self.db, Scope.of(self.tenant), StringValue(value=text), self._run)
        return answer.value

    async def notes(self) -> int:
        async with self.db.snapshot(Scope.of(self.tenant)) as tx:
            row = await (await (await tx.driver()).execute("SELECT count(*) FROM wrtn_notes")).fetchone()
        return int(row[0]) if row else 0

    async def _run(self, tx: Transaction) -> StringValue:
        self.runs += 1
        insert = "INSERT INTO wrtn_notes (tenant_id, id, body) VALUES (%s, %s, '')"
        await (await tx.driver()).execute(insert, (self.tenant, NEW()))
        return StringValue(value=f"run {self.runs}")


async def test_a_repeated_request_gets_the_first_answer(db: Database) -> None:
    work = Work(db)
    calling("key")
    assert [await work.send(), await work.send(), await work.send()] == ["run 1"] * 3
    assert (work.runs, await work.notes()) == (1, 1)


@pytest.mark.parametrize("key", ["key", ""])
async def test_what_staff_change_unaudited_is_not_committed(key: str, db: Database) -> None:
    work = Work(db)
    calling(key)
    rests_on_staff()
    with pytest.raises(Unaudited):
        await work.send()
    assert await work.notes() == 0


async def test_a_replay_owes_no_entry_of_its_own(db: Database) -> None:
    work = Work(db)
    calling("key")
    await work.send()
    calling("key")
    rests_on_staff()
    assert await work.send() == "run 1"
    assert not current().trail.missing


async def test_requests_without_a_key_each_run(db: Database) -> None:
    work = Work(db)
    calling("")
    assert [await work.send(), await work.send()] == ["run 1", "run 2"]


async def test_a_kept_answer_is_found_before_the_work_by_an_equal_request_alone(
    db: Database,
) -> None:
    work = Work(db)
    calling("key")
    same = StringValue(value="same")
    assert await replayed(db, same, StringValue) is None
    await work.send()
    assert await replayed(db, same, StringValue) == StringValue(value="run 1")
    assert await replayed(db, StringValue(value="other"), StringValue) is None
    calling("")
    assert await replayed(db, same, StringValue) is None


async def test_twenty_at_once_have_one_effect(db: Database) -> None:
    work = Work(db)
    calling("key", NEW())
    assert set(await asyncio.gather(*[work.send() for _ in range(20)])) == {"run 1"}
    assert await work.notes() == 1


async def test_the_same_key_with_another_body_is_refused(db: Database) -> None:
    work = Work(db)
    calling("key")
    await work.send()
    with pytest.raises(KeyReused):
        await work.send("other")
    assert await work.notes() == 1


async def test_keys_are_apart_by_caller_and_by_method(db: Database) -> None:
    work = Work(db)
    for member, method in ((NEW(), "/sample/Do"), (NEW(), "/sample/Do"), (None, "/sample/Undo")):
        calling("key", member, method)
        await work.send()
    assert work.runs == 3


async def test_a_failed_request_may_be_sent_again(db: Database) -> None:
    work = Work(db)
    calling("key")

    async def fail(tx: Transaction) -> StringValue:
        await work._run(tx)
        raise KeyError

    with pytest.raises(KeyError):
        await once(db, Scope.of(work.tenant), StringValue(value="same"), fail)
    assert await work.send() == "run 2"
    assert await work.notes() == 1


async def test_a_replay_never_shows_a_secret_again(db: Database) -> None:
    calling("key")

    async def issue(_: Transaction) -> IssueServiceTokenResponse:
        answer = IssueServiceTokenResponse(access_token="the secret")
        answer.access_expire_time.seconds = 7
        return answer

    first = await once(db, Scope(), StringValue(value="same"), issue)
    again = await once(db, Scope(), StringValue(value="same"), issue)
    assert (first.access_token, again.access_token) == ("the secret", "")
    assert again.access_expire_time.seconds == 7


async def test_the_stored_row_shows_neither_key_nor_request_nor_answer(db: Database) -> None:
    calling("canary key")

    async def answer(_: Transaction) -> StringValue:
        return StringValue(value="canary answer")

    await once(db, Scope(), StringValue(value="canary request"), answer)
    async with db.snapshot(Scope()) as tx:
        rows = await (await (await tx.driver()).execute("SELECT * FROM wrtn_idempotency_keys")).fetchall()
    assert len(rows) == 1
    assert "canary" not in repr(rows)


async def test_old_keys_are_purged_and_may_be_used_anew(db: Database) -> None:
    work = Work(db)
    calling("key")
    await work.send()
    assert await purge(db) == 0
    await age(db)
    assert await work.send("other") == "run 2"
    await age(db)
    assert await purge(db) == 1


async def age(db: Database) -> None:
    async with db.transaction(Scope()) as tx:
        query = "UPDATE wrtn_idempotency_keys SET create_time = create_time - interval '25 hours'"
        await (await tx.driver()).execute(query)

"""A member's end: their data destroyed in every service, for good, and certified."""

from __future__ import annotations

import hashlib
import json
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import grpc
import psycopg
import pytest

from chassis.crypto import KeyDestroyed
from chassis.database import Scope
from chassis.database.roles import conninfo
from chassis.testing.waiting import until
from services.identity import admin
from services.identity.models import MemberState
from services.identity.personal_data import certificates, erasures
from services.identity.settings import AdminSettings
from services.sessions import content
from tests.identity.data import NEW, World, refused
from tests.identity.make import (
    SignedIn,
    as_superuser,
    fresh_email,
    info,
    member,
    published,
    register,
    rows,
    sign_in,
    verify,
)
from tests.identity.smtp_server import code_in
from wrtn.access.v1.access_pb2 import Title
from wrtn.identity.v1 import erasures_pb2, members_pb2, suspensions_pb2
from wrtn.operations.v1 import operations_pb2
from wrtn.operations.v1.operations_pb2 import Operation


async def test_a_members_own_wish_waits_seven_days_and_can_be_undone(suite: World) -> None:
    known = await member(suite.identity)
    begun = await suite.erase(known, "me")
    assert begun.state == Operation.STATE_PENDING
    assert begun.start_time.seconds - begun.create_time.seconds == erasures.GRACE.total_seconds()
    request = operations_pb2.CancelOperationRequest(operation_id=begun.id)
    undone = await suite.operations.CancelOperation(request, metadata=known.metadata)
    assert undone.state == Operation.STATE_CANCELLED
    suite.clock.ahead += timedelta(days=8)
    assert (await sign_in(suite.identity, known.email)).member_id == known.member_id


async def test_after_the_grace_a_member_is_erased(suite: World) -> None:
    known = await member(suite.identity)
    begun = await suite.erase(known, "me")
    suite.clock.ahead += timedelta(days=7, seconds=1)
    assert await suite.ended(begun.id) == "SUCCEEDED"
    assert await _member_state(suite, known) == MemberState.ERASED


async def test_the_certificate_is_read_by_the_token_that_was_mailed_and_by_no_other(suite: World) -> None:
    known, other = await member(suite.identity), await member(suite.identity)
    before = len(suite.identity.mailbox.to(known.email))
    begun = await suite.erase(known, "me")
    token = code_in(await suite.identity.mailbox.wait_for(known.email, before + 1))
    foreign = certificates.token(suite.identity.running.runtime.keyring, UUID(other.member_id))
    no_such = (grpc.StatusCode.NOT_FOUND, "CERTIFICATE_NOT_FOUND")
    assert await refused(_read(suite, token)) == no_such, "nothing is certified yet"
    # An administrator who decides meanwhile makes another erasure of it: the token is the member's.
    await suite.erased(known)
    found = await _read(suite, token)
    assert (found.member_id, found.id != begun.id) == (known.member_id, True)
    assert hashlib.sha256(found.document.encode()).hexdigest() == found.sha256
    for wrong in (foreign, token[:-1] + ("A" if token[-1] != "A" else "B"), token[8:], "nonsense", "é"):
        assert await refused(_read(suite, wrong)) == no_such


async def _read(suite: World, token: str) -> erasures_pb2.ErasureCertificate:
    request = erasures_pb2.ReadErasureCertificateRequest(token=token)
    return await suite.erasures.ReadErasureCertificate(request)


async def test_erasing_oneself_asks_for_a_proof(suite: World) -> None:
    known = await member(suite.identity)
    suite.clock.ahead += timedelta(minutes=11)
    assert (await refused(suite.erase(known, "me")))[1] == "PROOF_MISSING"


async def test_nobody_but_administrators_erases_another_and_they_say_why(suite: World) -> None:
    known, other, decider = (
        await member(suite.identity),
        await member(suite.identity),
        await suite.administrator(),
    )
    for wanted in (known.member_id, str(NEW())):
        assert await refused(suite.erase(other, wanted, reason="x")) == (
            grpc.StatusCode.NOT_FOUND,
            "MEMBER_NOT_FOUND",
        )
    assert (await refused(suite.erase(decider, known.member_id)))[1] == "ERASURE_REASON_MISSING"
    assert (await refused(suite.erase(decider, "me")))[1] == "MEMBER_IS_STAFF"


async def test_who_works_somewhere_leaves_first_and_is_told_where(suite: World) -> None:
    known, decider = await member(suite.identity), await suite.administrator()
    firm, account = await suite.works_at(known)
    suite.identity.titles[str(firm), str(account)] = Title.TITLE_OWNER
    for by, wanted in ((known, "me"), (decider, known.member_id)):
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await suite.erase(by, wanted, reason="asked by letter")
        found = info(error.value)
        assert (found.reason, found.metadata["enterprise_ids"]) == ("MEMBER_EMPLOYED", str(firm))
    del suite.identity.titles[str(firm), str(account)]
    assert (await suite.erase(known, "me")).state == Operation.STATE_PENDING


async def test_who_was_hired_during_the_grace_is_not_erased_before_they_have_left(suite: World) -> None:
    known = await member(suite.identity)
    begun = await suite.erase(known, "me")
    firm, account = await suite.works_at(known)
    suite.identity.titles[str(firm), str(account)] = Title.TITLE_MEMBER
    suite.clock.ahead += timedelta(days=7, seconds=1)

    async def waiting() -> bool:
        query = f"SELECT message FROM wrtn_operations WHERE id = '{begun.id}'"
        return "has left the enterprises" in str(await as_superuser(suite.identity, query))

    await until(waiting)
    assert await _member_state(suite, known) == MemberState.ACTIVE
    del suite.identity.titles[str(firm), str(account)]
    assert await suite.ended(begun.id) == "SUCCEEDED"


async def test_an_administrator_need_not_wait_for_the_grace_of_a_members_wish(suite: World) -> None:
    known = await member(suite.identity)
    own = await suite.erase(known, "me")
    await suite.erased(known)
    assert await suite.state(own.id) == "CANCELLED"
    assert await _member_state(suite, known) == MemberState.ERASED


async def test_whom_an_administrator_erases_has_the_token_before_the_address_is_destroyed(
    suite: World,
) -> None:
    known, decider = await member(suite.identity), await suite.administrator()
    mailbox = suite.identity.mailbox
    before = len(mailbox.to(known.email))
    mailbox.refuse = "451 later"
    begun = await suite.erase(decider, known.member_id, reason="asked by letter")

    async def waiting() -> bool:
        return "mails" in (await suite.operation(begun.id, decider)).progress.message

    await until(waiting)
    assert await _member_state(suite, known) == MemberState.CLOSED, "it has begun all the same"
    mailbox.refuse = ""
    suite.clock.ahead += timedelta(seconds=3)
    await register(suite.identity, fresh_email())  # the sender looks at the queue at once
    assert await suite.ended(begun.id) == "SUCCEEDED"
    token = code_in(await mailbox.wait_for(known.email, before + 1))
    assert (await _read(suite, token)).member_id == known.member_id


async def test_what_was_of_an_erased_member_can_be_read_nowhere(suite: World) -> None:
    known = await member(suite.identity, display_name="Ann Lee")
    account = UUID(known.account_id)
    await suite.chat(account, account, UUID(known.member_id), "My plans", '{"text":"hello"}')
    await suite.erased(known)
    for name, owners in (("identity", (UUID(known.member_id), account)), ("sessions", (account,))):
        running = suite.identity.running if name == "identity" else suite.others[name]
        runtime: Any = running.runtime
        async with runtime.db.snapshot(Scope.of(*owners)) as snapshot:
            for owner in owners:
                with pytest.raises(KeyDestroyed):
                    await runtime.keyring.key(snapshot, owner)
    for table in ("wrtn_emails", "wrtn_verified_addresses", "wrtn_refresh_tokens", "wrtn_mails"):
        query = f"SELECT 1 FROM {table} WHERE member_id = '{known.member_id}'"
        assert await as_superuser(suite.identity, query) == []
    (code,) = (await rows(suite.identity, "SELECT code FROM wrtn_accounts", known.member_id))[0]
    assert code.startswith("erased-")


async def test_an_erased_members_address_is_free_and_their_tokens_are_refused(suite: World) -> None:
    known = await member(suite.identity)
    await suite.erased(known)
    told = [each.member_id for each in await published(suite.identity, "member.erased", known.member_id)]
    assert told.count(known.member_id) == 1
    got = suite.identity.members.GetMember(
        members_pb2.GetMemberRequest(member_id="me"), metadata=known.metadata
    )
    assert (await refused(got))[0] == grpc.StatusCode.UNAUTHENTICATED
    assert (await refused(sign_in(suite.identity, known.email)))[1] == "SIGN_IN_REFUSED"
    before = len(suite.identity.mailbox.to(known.email))
    await register(suite.identity, known.email)
    code = code_in(await suite.identity.mailbox.wait_for(known.email, before + 1))
    assert (await verify(suite.identity, code)).id != known.member_id


async def test_costs_and_the_enterprises_content_are_kept(suite: World) -> None:
    known = await member(suite.identity)
    firm, account = await suite.works_at(known)
    await suite.chat(firm, account, UUID(known.member_id), "The firm's plans", '"firm"')
    await suite.erased(known)
    runtime = suite.others["sessions"].runtime
    async with runtime.db.snapshot(Scope.of(firm)) as snapshot:
        key = await runtime.keyring.key(snapshot, firm)
        found = await (
            await (await snapshot.driver()).execute("SELECT id, title FROM wrtn_chat_sessions")
        ).fetchall()
        assert [content.open_title(key, id_, title) for id_, title in found] == ["The firm's plans"]


async def test_the_certificate_comes_after_every_confirmation_and_holds_ids_alone(suite: World) -> None:
    known = await member(suite.identity, display_name="Ann Lee")
    ended = await suite.erased(known)
    decider = await suite.administrator()
    request = erasures_pb2.GetErasureCertificateRequest(erasure_id=ended.result["erasure_id"])
    found = await suite.erasures.GetErasureCertificate(request, metadata=decider.metadata)
    assert hashlib.sha256(found.document.encode()).hexdigest() == found.sha256 == ended.result["sha256"]
    document = json.loads(found.document)
    assert (document["member_id"], document["personal_account_ids"]) == (known.member_id, [known.account_id])
    assert set(document["services"]) == {"identity", "enterprise", "sessions", "billing", "analytics"}
    assert document["services"]["identity"]["destroyed"]["emails"] == 1
    assert all(each["destroyed"]["keys"] == 2 for each in document["services"].values())
    assert "Ann" not in found.document
    assert known.email not in found.document
    listed = await suite.erasures.ListErasureCertificates(
        erasures_pb2.ListErasureCertificatesRequest(), metadata=decider.metadata
    )
    assert listed.certificates[0].id == found.id
    assert (
        await refused(
            suite.erasures.GetErasureCertificate(request, metadata=(await member(suite.identity)).metadata)
        )
    )[0] == grpc.StatusCode.PERMISSION_DENIED


async def test_no_certificate_is_written_before_every_service_has_confirmed(suite: World) -> None:
    known, decider = await member(suite.identity), await suite.administrator()
    async with suite.without("analytics"):
        begun = await suite.erase(decider, known.member_id, reason="asked by letter")

        async def waiting() -> bool:
            return "analytics" in (await suite.operation(begun.id, decider)).progress.message

        await until(waiting)
        query = f"SELECT 1 FROM wrtn_erasure_certificates WHERE member_id = '{known.member_id}'"
        assert await as_superuser(suite.identity, query) == []
        assert (await suite.operation(begun.id, decider)).progress.done == 3
    assert await suite.ended(begun.id) == "SUCCEEDED"


async def test_an_erasure_waits_while_the_law_holds_the_data(suite: World) -> None:
    known, decider = await member(suite.identity), await suite.administrator()
    hold = {"member_id": known.member_id, "reason": members_pb2.Hold.REASON_LEGAL, "note": "court"}
    placed = suspensions_pb2.SuspendMemberRequest(**hold)  # type: ignore[arg-type]
    await suite.identity.suspensions.SuspendMember(placed, metadata=decider.metadata)
    begun = await suite.erase(decider, known.member_id, reason="asked by letter")

    async def waiting() -> bool:
        return "legal" in (await suite.operation(begun.id, decider)).progress.message

    await until(waiting)
    assert await _member_state(suite, known) == MemberState.SUSPENDED
    lifted = suspensions_pb2.ReinstateMemberRequest(**hold)  # type: ignore[arg-type]
    await suite.identity.suspensions.ReinstateMember(lifted, metadata=decider.metadata)
    suite.clock.ahead += timedelta(hours=1, seconds=1)
    assert await suite.ended(begun.id) == "SUCCEEDED"


async def test_the_journal_erases_again_what_a_restore_brought_back(suite: World, tmp_path: Path) -> None:
    known = await member(suite.identity)
    account = UUID(known.account_id)
    await suite.chat(account, account, UUID(known.member_id), "My plans", '"hello"')
    backups = [(name, await _backup(suite, name)) for name in ("identity", "sessions")]
    erased = await suite.erased(known)
    for name, backup in backups:
        await _restore(suite, name, backup)
        runtime: Any = suite.identity.running.runtime if name == "identity" else suite.others[name].runtime
        runtime.keyring._cache.clear()
    assert await _member_state(suite, known) == MemberState.ACTIVE
    # The journal of this member alone: those of the other tests are erased already.
    note, journal = f"{erased.result['erasure_id']}.json", tmp_path / "identity" / "erasures"
    journal.mkdir(parents=True)
    shutil.copy(suite.blobs / "identity" / "erasures" / note, journal / note)
    chosen = suite.identity.running.runtime.settings
    own = AdminSettings(
        database_url=chosen.database_url, key_file=chosen.key_file, blob_url=tmp_path.as_uri()
    )
    await admin.perform(admin.parser().parse_args(["apply-erasures"]), own)
    # Members of other tests of this world may wait for their erasure, too.
    mine = f"key = '{known.member_id}' AND id <> '{erased.id}'"
    query = f"SELECT id::text FROM wrtn_operations WHERE kind = 'member.erase' AND {mine}"
    ((again,),) = await as_superuser(suite.identity, query)
    assert await suite.ended(again) == "SUCCEEDED"
    assert await _member_state(suite, known) == MemberState.ERASED
    runtime = suite.others["sessions"].runtime
    async with runtime.db.snapshot(Scope.of(account)) as snapshot:
        with pytest.raises(KeyDestroyed):
            await runtime.keyring.key(snapshot, account)


async def _member_state(suite: World, known: SignedIn) -> str:
    query = f"SELECT state FROM wrtn_members WHERE id = '{known.member_id}'"
    return str((await as_superuser(suite.identity, query))[0][0])


_RESTORED = ("wrtn_data_keys", "wrtn_members", "wrtn_emails", "wrtn_verified_addresses")


async def _backup(suite: World, name: str) -> dict[str, list[bytes]]:
    """Copies the rows of some tables aside."""
    found = {}
    async with await psycopg.AsyncConnection.connect(_url(suite, name)) as connection:
        for table in _RESTORED if name == "identity" else _RESTORED[:1]:
            async with connection.cursor().copy(f"COPY {table} TO STDOUT") as copy:
                found[table] = [bytes(part) async for part in copy]
    return found


async def _restore(suite: World, name: str, backup: dict[str, list[bytes]]) -> None:
    """Puts the rows back as they were, whatever has become of them since."""
    async with await psycopg.AsyncConnection.connect(_url(suite, name)) as connection:
        await connection.execute("SET session_replication_role = replica")
        for table, parts in backup.items():
            await connection.execute(f"DELETE FROM {table}")
            async with connection.cursor().copy(f"COPY {table} FROM STDIN") as copy:
                for part in parts:
                    await copy.write(part)


def _url(suite: World, name: str) -> str:
    made = suite.databases[name].name
    return conninfo(suite.identity.admin_url).replace(suite.databases["identity"].name, made)

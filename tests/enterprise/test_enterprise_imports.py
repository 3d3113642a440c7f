"""Importing people and teams from a file."""

from __future__ import annotations

import asyncio
import csv
import io

import grpc
import pytest
from psycopg import AsyncConnection

from chassis.database import Transaction
from chassis.database.roles import conninfo
from chassis.embedded.postgres import Postgres
from chassis.operations import Operations
from chassis.operations.work import Work
from chassis.testing.processes import environment, process
from chassis.testing.waiting import until
from services.enterprise.imports import import_results, spreadsheets
from tests.enterprise.make import Worker, World, refused
from wrtn.access.v1.access_pb2 import (
    ROLE_CHIEF,
    ROLE_MEMBER,
    TITLE_MANAGER,
    TITLE_MEMBER,
    TITLE_OWNER,
)
from wrtn.enterprise.v1 import imports_pb2 as pb
from wrtn.enterprise.v1.invitations_pb2 import Invitation, ListInvitationsRequest
from wrtn.enterprise.v1.teams_pb2 import GetTeamRequest
from wrtn.operations.v1.operations_pb2 import GetOperationRequest, Operation

INVITED, CHANGED = pb.ImportRow.OUTCOME_INVITED, pb.ImportRow.OUTCOME_CHANGED
UNCHANGED, VALID = pb.ImportRow.OUTCOME_UNCHANGED, pb.ImportRow.OUTCOME_VALID
FAILED = pb.ImportRow.OUTCOME_FAILED
INVALID = grpc.StatusCode.INVALID_ARGUMENT
REFUSED = [
    (b"email\n" + b"x" * spreadsheets.MOST_BYTES, "IMPORT_TOO_LARGE"),
    (b"email\n" + b"a@b.example\n" * (spreadsheets.MOST_ROWS + 1), "IMPORT_TOO_LARGE"),
    ("email\nmüller@acme.example".encode("latin-1"), "IMPORT_NOT_TEXT"),
    (b"email\na\0b", "IMPORT_NOT_TEXT"),
    (b'email\n"a"b', "IMPORT_NOT_TEXT"),
    (b"mail\na@b.example", "IMPORT_HEADER_INVALID"),
    (b"email,display_name\na@b.example,Mina", "IMPORT_HEADER_INVALID"),
    (b"email,email\na@b.example,", "IMPORT_HEADER_INVALID"),
    (b"email\n\n\n", "IMPORT_EMPTY"),
]


async def begin(
    world: World,
    by: Worker,
    text: str | bytes,
    *,
    together: bool = False,
    trial: bool = False,
    request_id: str = "",
) -> Operation:
    request = pb.ImportEmployeesRequest(
        enterprise_id=by.enterprise_id,
        csv=text.encode() if isinstance(text, str) else text,
        all_or_nothing=together,
        dry_run=trial,
        request_id=request_id,
    )
    return await world.imports.ImportEmployees(request, metadata=by.metadata)


async def ended(world: World, by: Worker, begun: Operation) -> Operation:
    request = GetOperationRequest(operation_id=begun.id)
    async with asyncio.timeout(40):
        while True:
            found = await world.operations.GetOperation(request, metadata=by.metadata)
            if found.HasField("end_time"):
                return found
            await asyncio.sleep(0.02)


async def run(
    world: World, by: Worker, text: str | bytes, *, together: bool = False, trial: bool = False
) -> Operation:
    return await ended(world, by, await begin(world, by, text, together=together, trial=trial))


async def rows(world: World, by: Worker, done: Operation, size: int = 200) -> list[pb.ImportRow]:
    request = pb.ListImportRowsRequest(enterprise_id=by.enterprise_id, operation_id=done.id, page_size=size)
    found: list[pb.ImportRow] = []
    while True:
        answer = await world.imports.ListImportRows(request, metadata=by.metadata)
        found += answer.import_rows
        if not answer.next_page_token:
            return found
        request.page_token = answer.next_page_token


async def downloaded(
    world: World, by: Worker, done: Operation, *, failed_only: bool = False
) -> list[tuple[str, ...]]:
    request = pb.DownloadImportRowsRequest(
        enterprise_id=by.enterprise_id, operation_id=done.id, failed_only=failed_only
    )
    answer = world.imports.DownloadImportRows(request, metadata=by.metadata)
    text = b"".join([piece.data async for piece in answer]).decode()
    return [tuple(line) for line in csv.reader(io.StringIO(text, newline=""))]


async def invited(world: World, by: Worker) -> dict[str, Invitation]:
    request = ListInvitationsRequest(enterprise_id=by.enterprise_id, page_size=200)
    found = await world.invitations.ListInvitations(request, metadata=by.metadata)
    return {each.email: each for each in found.invitations}


async def team_names(world: World, by: Worker, parent: str = "") -> list[str]:
    names = []
    for team_id in await world.children(by, parent):
        request = GetTeamRequest(enterprise_id=by.enterprise_id, team_id=team_id)
        names.append((await world.teams.GetTeam(request, metadata=by.metadata)).display_name)
    return names


@pytest.mark.parametrize(("delimiter", "mark"), [(",", b"\xef\xbb\xbf"), (";", b"")])
async def test_people_are_invited_with_titles_and_places_in_teams_that_are_made(
    world: World, delimiter: str, mark: bytes
) -> None:
    owner = await world.owner()
    lines = [
        ["Email", "Title", "team", "ROLE"],
        ["mina@acme.example", "manager", '"Sales/EMEA, APAC; all"', "chief"],
        ["noah@acme.example", "", "", ""],
        ["Mina@acme.example", "", "Sales", ""],
        ["zoe@acme.example", "Owner", "Sales", ""],
    ]
    text = "\r\n".join(delimiter.join(line) for line in lines)
    done = await run(world, owner, mark + text.encode())
    assert done.state == Operation.STATE_SUCCEEDED
    assert (done.progress.done, done.progress.total) == (4, 4)
    assert {"rows": "4", "invited": "4", "failed": "0"}.items() <= dict(done.result).items()
    found = await invited(world, owner)
    titles = {email: each.title for email, each in found.items()}
    assert titles == {
        "mina@acme.example": TITLE_MANAGER,
        "noah@acme.example": TITLE_MEMBER,
        "zoe@acme.example": TITLE_OWNER,
    }
    assert [each.role for each in found["mina@acme.example"].places] == [ROLE_CHIEF, ROLE_MEMBER]
    assert await team_names(world, owner) == ["Sales"]
    (sales,) = await world.children(owner)
    assert await team_names(world, owner, sales) == ["EMEA, APAC; all"]
    paged = [(each.number, each.outcome) for each in await rows(world, owner, done, 2)]
    assert paged == [(2, INVITED), (3, INVITED), (4, INVITED), (5, INVITED)]


async def test_who_is_employed_already_is_changed_and_not_invited(world: World) -> None:
    owner = await world.owner()
    mina, noah = await world.hire(owner), await world.hire(owner)
    world.identity.addresses[str(mina.person.member_id)] = ["mina@acme.example"]
    world.identity.addresses[str(noah.person.member_id)] = ["noah@acme.example"]
    text = "email,title,team\nmina@acme.example,manager,Sales\nnoah@acme.example,,\n"
    done = await run(world, owner, text)
    assert [each.outcome for each in await rows(world, owner, done)] == [CHANGED, UNCHANGED]
    access = await world.resolve(mina)
    assert (access.title, [each.role for each in access.teams]) == (TITLE_MANAGER, [ROLE_MEMBER])
    assert await invited(world, owner) == {}
    again = await run(world, owner, text)
    assert [each.outcome for each in await rows(world, owner, again)] == [UNCHANGED, UNCHANGED]


async def test_each_row_that_cannot_be_done_says_why_and_the_others_are_done(world: World) -> None:
    owner = await world.owner()
    manager = await world.hire(owner, TITLE_MANAGER)
    text = (
        "email,title,team,role\n"
        "good@acme.example,,Sales,\n"
        "nonsense,,,\n"
        "boss@acme.example,owner,New,\n"
        "king@acme.example,king,,\n"
        "lost@acme.example,,,chief\n"
        "path@acme.example,,Sales//EMEA,\n"
        "short@acme.example\n"
        "twice@acme.example,,A,\n"
        "twice@acme.example,,A,\n"
    )
    done = await run(world, manager, text)
    assert done.state == Operation.STATE_SUCCEEDED
    found = await rows(world, manager, done)
    assert [(each.number, each.outcome, each.reason, each.column) for each in found] == [
        (2, INVITED, "", ""),
        (3, FAILED, "ADDRESS_INVALID", "email"),
        (4, FAILED, "APPOINTMENT_ABOVE_RIGHT", "title"),
        (5, FAILED, "IMPORT_ROW_INVALID", "title"),
        (6, FAILED, "IMPORT_ROW_INVALID", "role"),
        (7, FAILED, "IMPORT_ROW_INVALID", "team"),
        (8, FAILED, "IMPORT_ROW_INVALID", ""),
        (9, FAILED, "IMPORT_ROW_INVALID", "team"),
        (10, FAILED, "IMPORT_ROW_INVALID", "team"),
    ]
    assert all(each.message for each in found[1:])
    assert set(await invited(world, owner)) == {"good@acme.example"}
    assert await team_names(world, owner) == ["Sales"]
    request = pb.ListImportRowsRequest(
        enterprise_id=owner.enterprise_id, operation_id=done.id, failed_only=True
    )
    failed = await world.imports.ListImportRows(request, metadata=owner.metadata)
    assert len(failed.import_rows) == 8
    lines = await downloaded(world, owner, done)
    assert lines[:2] == [import_results.HEADER, ("2", "INVITED", "", "", "")]
    assert [line[:4] for line in lines[2:4]] == [
        ("3", "FAILED", "ADDRESS_INVALID", "email"),
        ("4", "FAILED", "APPOINTMENT_ABOVE_RIGHT", "title"),
    ]
    assert [line[4] for line in lines[1:]] == [each.message for each in found]
    assert await downloaded(world, owner, done, failed_only=True) == [lines[0], *lines[2:]]


async def test_all_or_nothing_does_nothing_if_one_row_cannot_be_done(world: World) -> None:
    owner = await world.owner()
    manager = await world.hire(owner, TITLE_MANAGER)
    text = "email,title,team\na@acme.example,,Sales\nb@acme.example,owner,\nc@acme.example,,\n"
    done = await run(world, manager, text, together=True)
    assert done.state == Operation.STATE_FAILED
    assert done.error.code == grpc.StatusCode.FAILED_PRECONDITION.value[0]
    outcomes = [(each.outcome, each.reason) for each in await rows(world, manager, done)]
    assert outcomes == [(VALID, ""), (FAILED, "APPOINTMENT_ABOVE_RIGHT"), (VALID, "")]
    assert await invited(world, owner) == {}
    assert await world.children(owner) == []
    done = await run(world, owner, text, together=True)
    assert done.state == Operation.STATE_SUCCEEDED
    assert [each.outcome for each in await rows(world, owner, done)] == [INVITED] * 3
    assert len(await invited(world, owner)) == 3


async def test_a_trial_changes_nothing_and_tells_what_would_fail(world: World) -> None:
    owner = await world.owner()
    before = await world.subjects(owner)
    done = await run(world, owner, "email,team\ntried@acme.example,Sales\nnonsense,\n", trial=True)
    assert [each.outcome for each in await rows(world, owner, done)] == [VALID, FAILED]
    assert await invited(world, owner) == {}
    assert await world.children(owner) == []
    assert await world.subjects(owner) == before
    assert "tried@acme.example" not in {each.address for each in world.identity.mails.values()}


async def test_a_file_that_is_too_large_or_none_is_refused_at_once(world: World) -> None:
    owner = await world.owner()
    for text, reason in REFUSED:
        assert await refused(begin(world, owner, text)) == (INVALID, reason)
    assert await invited(world, owner) == {}
    begun = "SELECT FROM wrtn_operations WHERE tenant_id = %s"
    assert await world.rows(begun, owner.enterprise_id) == []


async def test_all_or_nothing_takes_fewer_rows(world: World) -> None:
    owner = await world.owner()
    many = "email\n" + "".join(f"u{each}@b.example\n" for each in range(spreadsheets.MOST_TOGETHER + 1))
    assert await refused(begin(world, owner, many, together=True)) == (INVALID, "IMPORT_TOO_LARGE")


async def test_only_managers_and_owners_import_and_only_into_their_own(world: World) -> None:
    owner, foreign = await world.owner(), await world.owner()
    member = await world.hire(owner)
    denied = await refused(begin(world, member, "email\na@acme.example"))
    assert denied[0] == grpc.StatusCode.PERMISSION_DENIED
    request = pb.ImportEmployeesRequest(enterprise_id=owner.enterprise_id, csv=b"email\na@acme.example")
    found = await refused(world.imports.ImportEmployees(request, metadata=foreign.metadata))
    assert found[0] == grpc.StatusCode.NOT_FOUND
    done = await run(world, owner, "email\na@acme.example")
    wanted = pb.ListImportRowsRequest(enterprise_id=foreign.enterprise_id, operation_id=done.id)
    assert not (await world.imports.ListImportRows(wanted, metadata=foreign.metadata)).import_rows
    hidden = await refused(downloaded(world, foreign, done))
    assert hidden == (grpc.StatusCode.NOT_FOUND, "IMPORT_NOT_FOUND")


async def test_a_repeated_request_is_one_import(world: World) -> None:
    owner = await world.owner()
    first, again = [await begin(world, owner, "email\na@acme.example", request_id="r1") for _ in range(2)]
    assert first.id == again.id
    await ended(world, owner, first)
    assert len(await invited(world, owner)) == 1


@pytest.mark.parametrize("together", [False, True])
async def test_an_import_that_dies_before_every_second_commit_goes_on_and_does_nothing_twice(
    world: World, monkeypatch: pytest.MonkeyPatch, together: bool
) -> None:
    owner = await world.owner()
    kept, calls = Work.advance, []

    async def dying(self: Work, tx: Transaction, step: str, **more: object) -> None:
        before = self.done
        await kept(self, tx, step, **more)  # type: ignore[arg-type]
        calls.append(step)
        if len(calls) % 2:
            self.done = before
            raise RuntimeError("killed")

    monkeypatch.setattr(Work, "advance", dying)
    monkeypatch.setattr("chassis.operations.runner._LONGEST_DELAY", 0)
    people = "".join(f"u{each}@acme.example,T{each}\n" for each in range(3))
    done = await run(world, owner, "email,team\n" + people, together=together)
    assert done.state == Operation.STATE_SUCCEEDED
    assert done.progress.done == 3
    assert len(calls) >= 6
    assert len(await invited(world, owner)) == 3
    assert await team_names(world, owner) == ["T0", "T1", "T2"]
    assert (await world.subjects(owner)).count("invitation.changed") == 3


@pytest.fixture
def resting(monkeypatch: pytest.MonkeyPatch) -> list[Operations]:
    """The operations of the replica that a test serves, which begins them when the test says so."""
    found: list[Operations] = []

    async def rest(operations: Operations) -> None:
        found.append(operations)

    monkeypatch.setattr(Operations, "start", rest)
    return found


@pytest.mark.fresh
async def test_an_import_whose_process_is_killed_goes_on_in_another_replica(
    resting: list[Operations], world: World, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, many = await world.owner(), 60
    people = "".join(f"u{each}@acme.example,T{each % 3}\n" for each in range(many))
    begun = await begin(world, owner, "email,team\n" + people)
    request = GetOperationRequest(operation_id=begun.id)

    async def half_done() -> int:
        found = await world.operations.GetOperation(request, metadata=owner.metadata)
        return found.progress.done if found.progress.done > 5 else 0

    async with process(environment(world.running.runtime.settings), "services.enterprise.main") as other:
        await until(half_done, 60)
        other.kill()
        await other.wait()
    done_before = (await world.operations.GetOperation(request, metadata=owner.metadata)).progress.done
    assert 5 < done_before < many
    assert len(await invited(world, owner)) == done_before
    # Instead of waiting until the lease of the dead runs out.
    async with await AsyncConnection.connect(
        conninfo(postgres.url(world.database.name)), autocommit=True
    ) as admin:
        await admin.execute("UPDATE wrtn_operations SET lease_expire_time = now()")
    monkeypatch.undo()
    await resting[0].start()
    done = await ended(world, owner, begun)
    assert (done.state, done.progress.done) == (Operation.STATE_SUCCEEDED, many)
    assert len(await invited(world, owner)) == many
    assert (await world.subjects(owner)).count("invitation.changed") == many
    assert await team_names(world, owner) == ["T0", "T1", "T2"]
    assert [each.outcome for each in await rows(world, owner, done)] == [INVITED] * many

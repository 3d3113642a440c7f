"""The catalogue of procedures: who keeps and sees what, its versions, and which forms are taken."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import grpc
import psycopg.errors as pg
import pytest

from chassis.audit.acts import PLATFORM
from chassis.database import Scope
from services.sessions.forms import Form
from services.sessions.forms.errors import SchemaInvalid
from tests.sessions.make import Sessions, refusal
from tests.sessions.running import FORM, Running
from wrtn.access.v1.access_pb2 import STAFF_RIGHT_MODERATOR, TITLE_MANAGER, TITLE_MEMBER
from wrtn.sessions.v1 import procedures_pb2 as pb
from wrtn.sessions.v1.events_pb2 import ProcedureVersionCreated

NOT_FOUND = (grpc.StatusCode.NOT_FOUND, "PROCEDURE_NOT_FOUND")


async def refused(call: Any) -> tuple[grpc.StatusCode, str]:
    """Answers how a call is refused."""
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call
    return refusal(error.value)


async def audited(sessions: Sessions) -> list[tuple[str, str]]:
    """Answers what was audited: action and tenant."""
    return [(each.action, each.tenant_id) for each in await sessions.audited()]


async def test_administrators_keep_procedures_of_the_platform_which_all_see_once_published(
    sessions: Sessions,
) -> None:
    running, callers = Running(sessions), sessions.callers
    anybody = callers.member()
    draft = await running.create()
    assert (draft.state, draft.version, draft.enterprise_id) == (pb.Procedure.STATE_DRAFT, 1, "")
    assert await refused(running.get(draft.id, anybody)) == NOT_FOUND
    assert (await running.codes(anybody), await running.codes(running.administrator)) == ([], ["send-mail"])
    assert await refused(running.withdraw(draft.id)) == (
        grpc.StatusCode.FAILED_PRECONDITION,
        "PROCEDURE_DRAFT",
    )
    await running.publish(draft.id)
    seen = await running.get(draft.id, anybody)
    assert (seen.state, seen.code, seen.display_name) == (
        pb.Procedure.STATE_PUBLISHED,
        "send-mail",
        "Sends a mail",
    )
    named = pb.UpdateProcedureRequest(procedure=pb.Procedure(id=draft.id, display_name="Mails"))
    await running.catalogue.UpdateProcedure(named, metadata=running.administrator.metadata)
    await running.withdraw(draft.id)
    await running.withdraw(draft.id)
    assert (await running.get(draft.id, anybody)).state == pb.Procedure.STATE_WITHDRAWN
    assert (await running.publish(draft.id)).display_name == "Mails"
    for nobody in (anybody, callers.member(staff=STAFF_RIGHT_MODERATOR)):
        code, _ = await refused(
            running.catalogue.PublishProcedure(
                pb.PublishProcedureRequest(procedure_id=draft.id), metadata=nobody.metadata
            )
        )
        assert code in (grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.INVALID_ARGUMENT)
    assert await audited(sessions) == [
        (f"procedure.{each}", str(PLATFORM))
        for each in ("created", "published", "updated", "withdrawn", "unchanged", "published")
    ]


async def test_managers_keep_procedures_that_their_enterprise_alone_sees(sessions: Sessions) -> None:
    running, callers = Running(sessions), sessions.callers
    enterprise_id = sessions.clock.new_id()
    manager = callers.employee(enterprise_id, TITLE_MANAGER)
    member = callers.employee(enterprise_id, TITLE_MEMBER)
    stranger = callers.employee(sessions.clock.new_id(), TITLE_MANAGER)
    await running.published(code="common")
    draft = await running.create(manager)
    assert draft.enterprise_id == str(enterprise_id)
    assert await refused(running.get(draft.id, member)) == NOT_FOUND
    assert (await running.codes(member), await running.codes(manager)) == (
        ["common"],
        ["common", "send-mail"],
    )
    await running.publish(draft.id, manager)
    assert await running.codes(member) == ["common", "send-mail"]
    assert await running.codes(member, owner=pb.ListProceduresRequest.OWNER_ENTERPRISE) == ["send-mail"]
    assert await running.codes(member, code_prefix="co") == ["common"]
    assert await running.codes(member, state=pb.Procedure.STATE_WITHDRAWN) == []
    first = await running.catalogue.ListProcedures(
        pb.ListProceduresRequest(page_size=1), metadata=member.metadata
    )
    second = pb.ListProceduresRequest(page_size=1, page_token=first.next_page_token)
    (last,) = (await running.catalogue.ListProcedures(second, metadata=member.metadata)).procedures
    assert last.id == draft.id
    # Others see nothing of it, staff among them, and nobody changes what is another's.
    for other in (stranger, running.administrator, callers.member()):
        assert await refused(running.get(draft.id, other)) == NOT_FOUND
        assert await running.codes(other) == ["common"]
        assert await refused(running.session(draft.id, other)) == NOT_FOUND
    assert (await running.session(draft.id, member)).id
    assert await refused(running.publish(draft.id, stranger)) == NOT_FOUND
    foreign = pb.PublishProcedureRequest(enterprise_id=str(enterprise_id), procedure_id=draft.id)
    for other in (stranger, running.administrator):
        denied = await refused(running.catalogue.PublishProcedure(foreign, metadata=other.metadata))
        assert denied == (grpc.StatusCode.NOT_FOUND, "NOT_FOUND")
    assert (await refused(running.create(member)))[0] == grpc.StatusCode.PERMISSION_DENIED


async def test_a_code_is_taken_once_in_each_catalogue_also_by_many_at_once(sessions: Sessions) -> None:
    running = Running(sessions)
    manager = sessions.callers.employee(sessions.clock.new_id(), TITLE_MANAGER)
    tries = await asyncio.gather(*(running.create() for _ in range(5)), return_exceptions=True)
    errors = [each for each in tries if isinstance(each, grpc.aio.AioRpcError)]
    assert [refusal(each) for each in errors] == [
        (grpc.StatusCode.ALREADY_EXISTS, "PROCEDURE_CODE_TAKEN")
    ] * 4
    await running.create(manager)
    assert await sessions.rows("SELECT count(*) FROM wrtn_procedure_versions", PLATFORM) == [(1,)]


async def test_each_change_is_told_in_order_and_who_has_not_seen_the_last_one_changes_nothing(
    sessions: Sessions,
) -> None:
    running = Running(sessions)
    manager = sessions.callers.employee(sessions.clock.new_id(), TITLE_MANAGER)
    enterprise_id, mine, catalogue = str(manager.enterprise_id), manager.metadata, running.catalogue
    draft = await running.create(manager)
    whose = {"enterprise_id": enterprise_id, "procedure_id": draft.id, "etag": draft.etag}
    wanted = pb.Procedure(id=draft.id, display_name="Mails", etag=draft.etag)
    name = pb.UpdateProcedureRequest(enterprise_id=enterprise_id, procedure=wanted)
    version = pb.CreateProcedureVersionRequest(**whose, input_form=json.dumps(FORM))
    publish, withdraw = pb.PublishProcedureRequest(**whose), pb.WithdrawProcedureRequest(**whose)
    seen = (await catalogue.UpdateProcedure(name, metadata=mine)).etag
    for stale in (
        catalogue.UpdateProcedure(name, metadata=mine),
        catalogue.CreateProcedureVersion(version, metadata=mine),
        catalogue.PublishProcedure(publish, metadata=mine),
        catalogue.WithdrawProcedure(withdraw, metadata=mine),
    ):
        assert await refused(stale) == (grpc.StatusCode.ABORTED, "ETAG_MISMATCH")
    unchanged = await running.get(draft.id, manager)
    assert (unchanged.etag, unchanged.version, unchanged.state) == (seen, 1, pb.Procedure.STATE_DRAFT)
    version.etag = seen
    await catalogue.CreateProcedureVersion(version, metadata=mine)
    publish.etag = (await running.get(draft.id, manager)).etag
    withdraw.etag = (await catalogue.PublishProcedure(publish, metadata=mine)).etag
    assert (await running.publish(draft.id, manager)).etag == withdraw.etag, "it was published already"
    await catalogue.WithdrawProcedure(withdraw, metadata=mine)
    common = await running.create()
    facts = ("created", "updated", "version_created", "published", "withdrawn")
    assert await told(sessions, draft.id) == [
        (fact, version, enterprise_id) for version, fact in enumerate(facts, start=1)
    ]
    assert await told(sessions, common.id) == [("created", 1, str(PLATFORM))]
    ((_, _, payload),) = await sessions.outbox("procedure.version_created")
    assert ProcedureVersionCreated.FromString(payload) == ProcedureVersionCreated(
        procedure_id=draft.id, enterprise_id=enterprise_id, version=2
    )


async def told(sessions: Sessions, procedure_id: str) -> list[tuple[str, int, str]]:
    """Answers what was told of a procedure: the fact, the aggregate's version and the tenant."""
    async with sessions.database.worker.snapshot(Scope()) as tx:
        found = await (await tx.driver()).execute(
            "SELECT replace(subject, 'wrtn.sessions.v1.procedure.', ''), aggregate_version, tenant_id::text"
            " FROM wrtn_outbox WHERE aggregate_id = %s ORDER BY aggregate_version",
            (procedure_id,),
        )
        return await found.fetchall()


async def test_versions_are_numbered_and_never_change(sessions: Sessions) -> None:
    running, anybody = Running(sessions), sessions.callers.member()
    procedure_id = await running.published()
    assert (await running.version(procedure_id, FORM | {"title": "2"})).version == 2
    added = await asyncio.gather(*(running.version(procedure_id, FORM | {"title": "n"}) for _ in range(4)))
    assert sorted(each.version for each in added) == [3, 4, 5, 6]
    assert (await running.get(procedure_id, anybody)).version == 6
    seen: list[int] = []
    token = ""
    while not seen or token:
        page = await running.catalogue.ListProcedureVersions(
            pb.ListProcedureVersionsRequest(procedure_id=procedure_id, page_size=4, page_token=token),
            metadata=anybody.metadata,
        )
        seen += [each.version for each in page.versions]
        token = page.next_page_token
    assert seen == [6, 5, 4, 3, 2, 1]
    request = pb.GetProcedureVersionRequest(procedure_id=procedure_id, version=1)
    first = await running.catalogue.GetProcedureVersion(request, metadata=anybody.metadata)
    assert first.input_form == json.dumps(FORM)
    request.version = 7
    assert await refused(running.catalogue.GetProcedureVersion(request, metadata=anybody.metadata)) == (
        grpc.StatusCode.NOT_FOUND,
        "PROCEDURE_VERSION_NOT_FOUND",
    )
    with pytest.raises(pg.InsufficientPrivilege):
        async with sessions.database.app.transaction(Scope.of(PLATFORM)) as tx:
            await (await tx.driver()).execute("UPDATE wrtn_procedure_versions SET input_form = '{}'")


async def test_a_schema_that_is_not_taken_changes_nothing_and_is_told_with_its_path(
    sessions: Sessions,
) -> None:
    running = Running(sessions)
    procedure_id = await running.published()
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await running.version(procedure_id, {"type": "object", "properties": {"a": {"type": "objekt"}}})
    assert refusal(error.value) == (grpc.StatusCode.INVALID_ARGUMENT, "SCHEMA_INVALID")
    assert "/properties/a/type" in (error.value.details() or "")
    taken = running.create(code="other", output_schema='{"$ref":"http://127.0.0.1:1/"}')
    assert await refused(taken) == (grpc.StatusCode.INVALID_ARGUMENT, "SCHEMA_INVALID")
    assert (await running.get(procedure_id, running.administrator)).version == 1
    assert await running.codes(running.administrator) == ["send-mail"]


FANNED_OUT = {
    "type": "object",
    "$ref": "#/$defs/d0",
    "$defs": {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(20)} | {"d20": {}},
}


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ("[]", ""),
        ("{", ""),
        ("[" * 100_000, ""),
        ('{"type":"string"}', "/type"),
        ({"type": "object", "$id": "https://example.com/a"}, "/$id"),
        ({"type": "object", "$schema": "http://json-schema.org/draft-07/schema#"}, "/$schema"),
        ({"type": "object", "properties": {"a/b": {"minimum": "1"}}}, "/properties/a~1b/minimum"),
        ({"type": "object", "properties": {"a": {"pattern": "(?=x)y"}}}, "/properties/a/pattern"),
        ({"type": "object", "properties": {"a": {"pattern": "(a{1,99}){1,99}"}}}, "/properties/a/pattern"),
        ({"type": "object", "patternProperties": {"(?<=a)b": {}}}, "/patternProperties/(?<=a)b"),
        ({"type": "object", "$ref": "https://example.com/a"}, "/$ref"),
        ({"type": "object", "$ref": "#/$defs/none"}, "/$ref"),
        ({"type": "object", "$defs": {"a": {"items": {"$ref": "#/$defs/a"}}}}, "/$defs/a/items/$ref"),
        ({"type": "object", "not": {"unevaluatedProperties": False}}, "/not/unevaluatedProperties"),
        ({"type": "object", "enum": list(range(1000))}, ""),
        (FANNED_OUT, "/$defs/d12"),
    ],
)
def test_a_form_is_a_small_schema_that_ends_and_takes_linear_time(schema: object, path: str) -> None:
    text = schema if isinstance(schema, str) else json.dumps(schema)
    with pytest.raises(SchemaInvalid) as error:
        Form(text, "")
    assert error.value.metadata["path"] == path
    assert error.value.field == "input_form"


def test_a_form_may_refer_to_its_definitions_and_use_most_of_the_draft() -> None:
    form = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {"when": {"$ref": "#/$defs/day"}, "also": {"$ref": "#/$defs/day"}},
        "if": {"required": ["also"]},
        "then": {"required": ["when"]},
        "$defs": {"day": {"type": "string", "pattern": "^(a+)+$"}},
    }
    Form(json.dumps(form), '{"oneOf":[{"type":"null"},{"const":1}]}').check('{"arguments":{"when":"aa"}}')

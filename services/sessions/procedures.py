"""The use cases of the catalogue: an owner is an enterprise, or the platform."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from uuid import UUID

from chassis import timestamps
from chassis.database import Snapshot, Transaction
from services.sessions import events
from services.sessions.errors import (
    EtagMismatch,
    ProcedureCodeTaken,
    ProcedureDraft,
    ProcedureNotFound,
    ProcedureVersionNotFound,
    ProcedureWithdrawn,
)
from services.sessions.forms import Form
from services.sessions.models import PLATFORM, Procedure, ProcedureState
from services.sessions.store import Procedures, VersionRow
from wrtn.sessions.v1 import events_pb2 as told
from wrtn.sessions.v1 import procedures_pb2 as pb

_DRAFT, _PUBLISHED, _WITHDRAWN = ProcedureState.DRAFT, ProcedureState.PUBLISHED, ProcedureState.WITHDRAWN


async def create(
    tx: Transaction, owner_id: UUID, member_id: UUID, request: pb.CreateProcedureRequest
) -> pb.Procedure:
    """Creates a draft with its first version; raises ProcedureCodeTaken and SchemaInvalid."""
    Form(request.input_form, request.output_schema)
    row = await Procedures(tx, (owner_id,)).add(
        tenant_id=owner_id,
        id=tx.clock.new_id(),
        code=request.code,
        display_name=request.display_name,
        description=request.description,
        state=_DRAFT,
        version=1,
        revision=1,
        create_time=tx.now,
        update_time=tx.now,
    )
    if row is None:
        raise ProcedureCodeTaken
    await _add_version(tx, row, member_id, request)
    _tell(tx, row, "procedure.created", told.ProcedureCreated)
    return shown(row)


async def add_version(
    tx: Transaction, owner_id: UUID, member_id: UUID, request: pb.CreateProcedureVersionRequest
) -> pb.ProcedureVersion:
    """Adds the next version; raises ProcedureNotFound, EtagMismatch and SchemaInvalid."""
    Form(request.input_form, request.output_schema)
    row = await _kept(tx, owner_id, request.procedure_id, request.etag)
    row.version += 1
    await _add_version(tx, row, member_id, request)
    _changed(tx, row, "procedure.version_created", partial(told.ProcedureVersionCreated, version=row.version))
    return pb.ProcedureVersion(
        procedure_id=str(row.id),
        version=row.version,
        input_form=request.input_form,
        output_schema=request.output_schema,
        create_time=timestamps.of(tx.now),
    )


async def change(
    tx: Transaction, owner_id: UUID, wanted: pb.Procedure, changes: Mapping[str, str]
) -> pb.Procedure:
    """Changes name and description; raises ProcedureNotFound and EtagMismatch."""
    row = await _kept(tx, owner_id, wanted.id, wanted.etag)
    row.display_name = changes.get("display_name", row.display_name)
    row.description = changes.get("description", row.description)
    return _changed(tx, row, "procedure.updated", told.ProcedureUpdated)


async def publish(tx: Transaction, owner_id: UUID, request: pb.PublishProcedureRequest) -> pb.Procedure:
    """Publishes a procedure; raises ProcedureNotFound and EtagMismatch."""
    row = await _kept(tx, owner_id, request.procedure_id, request.etag)
    return _moved(tx, row, _PUBLISHED, "procedure.published", told.ProcedurePublished)


async def withdraw(tx: Transaction, owner_id: UUID, request: pb.WithdrawProcedureRequest) -> pb.Procedure:
    """Withdraws a published procedure; raises ProcedureNotFound, EtagMismatch and ProcedureDraft."""
    row = await _kept(tx, owner_id, request.procedure_id, request.etag)
    if row.state == _DRAFT:
        raise ProcedureDraft
    return _moved(tx, row, _WITHDRAWN, "procedure.withdrawn", told.ProcedureWithdrawn)


async def runnable(tx: Snapshot, tenant_id: UUID, procedure_id: UUID, version: int) -> int:
    """Answers the version with which a session of the tenant is created; 0 is the newest.

    Raises ProcedureNotFound, ProcedureVersionNotFound and ProcedureWithdrawn.
    """
    row = await Procedures(tx, (PLATFORM, tenant_id)).get(procedure_id)
    if row is None or row.state == _DRAFT:
        raise ProcedureNotFound
    if row.state == _WITHDRAWN:
        raise ProcedureWithdrawn
    if version > row.version:
        raise ProcedureVersionNotFound
    return version or row.version


def shown(row: Procedure) -> pb.Procedure:
    """Answers the proto of a procedure."""
    return pb.Procedure(
        id=str(row.id),
        enterprise_id=str(row.tenant_id) if row.tenant_id != PLATFORM else "",
        code=row.code,
        display_name=row.display_name,
        description=row.description,
        state=row.state,  # type: ignore[arg-type]
        version=row.version,
        create_time=timestamps.of(row.create_time),
        update_time=timestamps.of(row.update_time),
        etag=str(row.revision),
    )


def shown_version(row: VersionRow) -> pb.ProcedureVersion:
    """Answers the proto of a version."""
    return pb.ProcedureVersion(
        procedure_id=str(row.procedure_id),
        version=row.version,
        input_form=row.input_form,
        output_schema=row.output_schema,
        create_time=timestamps.of(row.create_time),
    )


async def _kept(tx: Transaction, owner_id: UUID, procedure_id: str, etag: str) -> Procedure:
    """Answers and locks a procedure of the owner, as the caller has seen it."""
    row = await Procedures(tx, (owner_id,)).get(UUID(procedure_id), lock=True)
    if row is None:
        raise ProcedureNotFound
    if etag not in ("", str(row.revision)):
        raise EtagMismatch("The procedure has changed since: read it again.", field="etag")
    return row


async def _add_version(
    tx: Transaction,
    row: Procedure,
    member_id: UUID,
    forms: pb.CreateProcedureRequest | pb.CreateProcedureVersionRequest,
) -> None:
    await Procedures(tx, (row.tenant_id,)).add_version(
        tenant_id=row.tenant_id,
        procedure_id=row.id,
        version=row.version,
        input_form=forms.input_form,
        output_schema=forms.output_schema,
        create_member_id=member_id,
        create_time=tx.now,
    )


def _moved(
    tx: Transaction, row: Procedure, state: ProcedureState, action: str, event: events.OfProcedure
) -> pb.Procedure:
    """Sets the state, and says so unless it was that already."""
    if row.state == state:
        tx.audit("procedure.unchanged", tenant_id=row.tenant_id, target_id=row.id, version=row.version)
        return shown(row)
    row.state = state
    return _changed(tx, row, action, event)


def _changed(tx: Transaction, row: Procedure, action: str, event: events.OfProcedure) -> pb.Procedure:
    row.revision += 1
    row.update_time = tx.now
    _tell(tx, row, action, event)
    return shown(row)


def _tell(tx: Transaction, row: Procedure, action: str, event: events.OfProcedure) -> None:
    tx.audit(action, tenant_id=row.tenant_id, target_id=row.id, version=row.version)
    events.procedure(tx, row, event)

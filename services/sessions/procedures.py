"""The use cases of the catalogue: an owner is an enterprise, or the platform."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from chassis import timestamps
from chassis.database import Snapshot, Transaction
from services.sessions.errors import (
    ProcedureCodeTaken,
    ProcedureDraft,
    ProcedureNotFound,
    ProcedureVersionNotFound,
    ProcedureWithdrawn,
)
from services.sessions.forms import Form
from services.sessions.models import PLATFORM, Procedure, ProcedureState
from services.sessions.store import Procedures, VersionRow
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
        create_time=tx.now,
        update_time=tx.now,
    )
    if row is None:
        raise ProcedureCodeTaken
    await _add_version(tx, row, member_id, request)
    _audit(tx, "procedure.created", row)
    return shown(row)


async def add_version(
    tx: Transaction, owner_id: UUID, member_id: UUID, request: pb.CreateProcedureVersionRequest
) -> pb.ProcedureVersion:
    """Adds the next version; raises ProcedureNotFound and SchemaInvalid."""
    Form(request.input_form, request.output_schema)
    row = await _kept(tx, owner_id, request.procedure_id)
    row.version += 1
    row.update_time = tx.now
    await _add_version(tx, row, member_id, request)
    _audit(tx, "procedure.version_created", row)
    return pb.ProcedureVersion(
        procedure_id=str(row.id),
        version=row.version,
        input_form=request.input_form,
        output_schema=request.output_schema,
        create_time=timestamps.of(tx.now),
    )


async def change(tx: Transaction, owner_id: UUID, procedure_id: str, changes: dict[str, Any]) -> pb.Procedure:
    """Changes name and description; raises ProcedureNotFound."""
    row = await _kept(tx, owner_id, procedure_id)
    row.display_name = changes.get("display_name", row.display_name)
    row.description = changes.get("description", row.description)
    row.update_time = tx.now
    _audit(tx, "procedure.updated", row)
    return shown(row)


async def publish(tx: Transaction, owner_id: UUID, procedure_id: str) -> pb.Procedure:
    """Publishes a procedure; raises ProcedureNotFound."""
    row = await _kept(tx, owner_id, procedure_id)
    return _moved(tx, row, _PUBLISHED, "procedure.published")


async def withdraw(tx: Transaction, owner_id: UUID, procedure_id: str) -> pb.Procedure:
    """Withdraws a published procedure; raises ProcedureNotFound and ProcedureDraft."""
    row = await _kept(tx, owner_id, procedure_id)
    if row.state == _DRAFT:
        raise ProcedureDraft
    return _moved(tx, row, _WITHDRAWN, "procedure.withdrawn")


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


async def _kept(tx: Transaction, owner_id: UUID, procedure_id: str) -> Procedure:
    """Answers and locks a procedure of the owner."""
    row = await Procedures(tx, (owner_id,)).get(UUID(procedure_id), lock=True)
    if row is None:
        raise ProcedureNotFound
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


def _moved(tx: Transaction, row: Procedure, state: ProcedureState, action: str) -> pb.Procedure:
    """Sets the state, and says so unless it was that already."""
    if row.state != state:
        row.state = state
        row.update_time = tx.now
        _audit(tx, action, row)
    return shown(row)


def _audit(tx: Transaction, action: str, row: Procedure) -> None:
    tx.audit(action, tenant_id=row.tenant_id, target_id=row.id, version=row.version)

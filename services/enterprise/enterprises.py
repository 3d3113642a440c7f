"""Creating enterprises."""

from __future__ import annotations

from functools import cache
from uuid import UUID
from zoneinfo import available_timezones

from chassis.crypto import Keyring
from chassis.database import Transaction
from services.enterprise import appointments, convert, events
from services.enterprise.appointments import Act
from services.enterprise.errors import SlugTaken, TimeZoneUnknown
from services.enterprise.models import Employee, Enterprise
from services.enterprise.store import Enterprises
from wrtn.access.v1.access_pb2 import TITLE_OWNER
from wrtn.enterprise.v1.enterprises_pb2 import CreateEnterpriseRequest, CreateEnterpriseResponse

_DEFAULT_TIME_ZONE = "UTC"


async def create(
    tx: Transaction, keyring: Keyring, enterprise_id: UUID, member_id: UUID, request: CreateEnterpriseRequest
) -> CreateEnterpriseResponse:
    """Creates the enterprise with this member as its owner, and the record of that first appointment.

    Raises TimeZoneUnknown and SlugTaken.
    """
    time_zone = request.time_zone or _DEFAULT_TIME_ZONE
    if time_zone not in _time_zones():
        raise TimeZoneUnknown("The time zone is none of IANA's names.", field="time_zone")
    if not await Enterprises(tx, enterprise_id).take_slug(request.slug):
        raise SlugTaken("The slug is taken.", field="slug")
    enterprise = Enterprise(
        tenant_id=enterprise_id,
        display_name=request.display_name,
        slug=request.slug,
        time_zone=time_zone,
        last_appointment=0,
        last_change_time=tx.now,
        create_time=tx.now,
    )
    owner = await _add(tx, keyring, enterprise, member_id)
    return CreateEnterpriseResponse(
        enterprise=convert.enterprise(enterprise), employee_id=str(owner.id), account_id=str(owner.account_id)
    )


async def _add(tx: Transaction, keyring: Keyring, enterprise: Enterprise, member_id: UUID) -> Employee:
    """Adds the rows and the events of an enterprise and its owner, who is on record as their own decider."""
    tx.session.add(enterprise)
    await tx.session.flush()
    owner = Employee(
        tenant_id=enterprise.tenant_id,
        id=tx.clock.new_id(),
        member_id=member_id,
        account_id=tx.clock.new_id(),
        title=TITLE_OWNER,
        sequence=appointments.next_sequence(enterprise),
        create_time=tx.now,
    )
    tx.session.add(owner)
    act = Act("enterprise.created", owner.id, owner.id, title_after=TITLE_OWNER)
    await appointments.record(tx, keyring, enterprise, act)
    events.enterprise_created(tx, enterprise)
    events.employee_hired(tx, owner)
    return owner


@cache
def _time_zones() -> frozenset[str]:
    """Reads the names once; it takes milliseconds."""
    return frozenset(available_timezones())

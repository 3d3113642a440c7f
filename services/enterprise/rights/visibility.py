"""Whether owners and managers may read what is said in their enterprise."""

from __future__ import annotations

from uuid import UUID

from chassis.database import Transaction
from chassis.errors import NotFound
from services.enterprise import events, models
from services.enterprise.errors import GrantAboveRight
from services.enterprise.store import Enterprises, Rights, Visibilities
from wrtn.access.v1.access_pb2 import TITLE_OWNER


async def change(
    tx: Transaction, tenant_id: UUID, member_id: UUID, *, content_readable: bool, reason: str
) -> models.Visibility | None:
    """Turns reading on or off, by an owner; what it is already changes nothing. Answers the row, if any.

    Raises NotFound, as the interceptor does, if the member is employed there no more, and GrantAboveRight.
    """
    enterprise = await Enterprises(tx, tenant_id).lock()
    decider = await Rights(tx, tenant_id).of_member(member_id)
    if enterprise is None or decider is None:
        raise NotFound("The enterprise does not exist.")
    if decider.title < TITLE_OWNER:
        raise GrantAboveRight("Only owners say who may read content.")
    row = await Visibilities(tx, tenant_id).get()
    if content_readable == (row is not None and row.content_readable):
        return row
    if row is None:
        row = models.Visibility(tenant_id=tenant_id, version=0)
        tx.session.add(row)
    row.content_readable, row.update_time = content_readable, tx.now
    row.version += 1
    tx.audit(
        "visibility.changed",
        tenant_id=tenant_id,
        target_id=tenant_id,
        reason=reason,
        content_readable=int(content_readable),
    )
    events.visibility_changed(tx, row)
    return row

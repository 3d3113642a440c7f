"""What staff read: judged by who is staff at this moment, and audited with the answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from chassis import call
from chassis.access.authorize import NotAdmitted
from chassis.database import Database, Scope, Transaction
from services.identity.models import PLATFORM, MemberState
from services.identity.store import Members
from wrtn.access.v1.access_pb2 import STAFF_RIGHT_MODERATOR, StaffRight


@asynccontextmanager
async def opened(
    db: Database,
    action: str,
    *,
    right: StaffRight.ValueType = STAFF_RIGHT_MODERATOR,
    member_id: UUID | None = None,
    target_id: UUID | None = None,
) -> AsyncIterator[Transaction]:
    """Opens the platform's rows to the caller, and those of a member, whose matter it is then.

    What is not answered in the end is not audited. Raises NotAdmitted for who is staff no more: a read is let
    in by an answer that may be seconds old, and a past moderator is to see nobody.
    """
    caller = call.current().caller
    async with db.transaction(Scope.of(PLATFORM, member_id=member_id)) as tx:
        reader = await Members(tx).get(caller.member_id) if caller.member_id else None
        if reader is None or reader.state != MemberState.ACTIVE or reader.staff_right < right:
            raise NotAdmitted("The caller is not staff any more.")
        tx.audit(action, tenant_id=member_id or PLATFORM, target_id=target_id or member_id)
        yield tx

"""Break-glass: a tenant's content, open to one administrator for a time and a reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from chassis.crypto import KeyDestroyed, Keyring
from chassis.database import Database, Scope, Snapshot, Transaction
from services.identity import events
from services.identity.errors import BreakGlassNotFound, NotAdministrator, TenantNotFound
from services.identity.models import PLATFORM, BreakGlass
from services.identity.store import BreakGlasses, Principals
from wrtn.access.v1.access_pb2 import STAFF_RIGHT_ADMINISTRATOR

DEFAULT = timedelta(hours=1)
_REASON = "break_glass.reason"
"""The context that binds a ciphertext to its column."""


@dataclass(frozen=True, slots=True)
class Use:
    """A use of break-glass, with its reason in plain text."""

    row: BreakGlass
    reason: str


async def open_(
    tx: Transaction,
    keyring: Keyring,
    tenant_id: UUID,
    opener: tuple[UUID, UUID],
    reason: str,
    duration: timedelta,
) -> Use:
    """Opens the tenant of the scope to a member, by their login; raises TenantNotFound, NotAdministrator.

    What they have open already is answered as it is.
    """
    member_id, login_id = opener
    if not await _administrator(tx, member_id, login_id):
        raise NotAdministrator("The caller is no administrator any more.")
    if not await BreakGlasses(tx).knows_tenant(tenant_id):
        raise TenantNotFound("The tenant does not exist.", field="tenant_id")
    found = await BreakGlasses(tx).open_of(tenant_id, member_id, tx.now)
    if found is not None:
        tx.audit("break_glass.unchanged", tenant_id=tenant_id, target_id=found.id, reason=reason)
        return Use(found, await _reason(tx, keyring, found))
    row = BreakGlass(
        tenant_id=tenant_id,
        id=tx.clock.new_id(),
        member_id=member_id,
        create_time=tx.now,
        expire_time=tx.now + duration,
    )
    key = await keyring.key(tx, tenant_id)
    row.reason = key.encrypt(reason.encode(), _REASON, row.id)
    tx.session.add(row)
    await tx.session.flush()
    tx.audit("break_glass.opened", tenant_id=tenant_id, target_id=row.id, reason=reason)
    events.break_glass_opened(tx, row)
    return Use(row, reason)


async def close(tx: Transaction, keyring: Keyring, seen: BreakGlass, closer: UUID) -> Use:
    """Closes a use of the scope's tenant; one that is over is answered as it is."""
    closed = await BreakGlasses(tx).close(seen.tenant_id, seen.id, closer, tx.now)
    if closed is None:
        tx.audit("break_glass.unchanged", tenant_id=seen.tenant_id, target_id=seen.id)
        found = await BreakGlasses(tx).get(seen.id)
        return Use(found or seen, await _reason(tx, keyring, seen))
    tx.audit("break_glass.closed", tenant_id=closed.tenant_id, target_id=closed.id)
    return Use(closed, await _reason(tx, keyring, closed))


async def get(db: Database, break_glass_id: UUID) -> BreakGlass:
    """Answers a use on any tenant; raises BreakGlassNotFound."""
    async with db.snapshot(Scope.of(PLATFORM)) as snapshot:
        found = await BreakGlasses(snapshot).get(break_glass_id)
    if found is None:
        raise BreakGlassNotFound("There is no such use of break-glass.", field="break_glass_id")
    return found


async def check(db: Database, member_id: UUID, login_id: UUID, tenant_id: UUID) -> UUID | None:
    """Answers the use by which a member may read the tenant's content now; None unless an administrator."""
    async with db.snapshot(Scope.of(tenant_id, member_id=member_id)) as snapshot:
        if not await _administrator(snapshot, member_id, login_id):
            return None
        found = await BreakGlasses(snapshot).open_of(tenant_id, member_id, snapshot.now)
    return found.id if found is not None else None


async def with_reasons(db: Database, keyring: Keyring, rows: Sequence[BreakGlass]) -> list[Use]:
    """Answers uses with their reasons, each under its tenant's key."""
    async with db.snapshot(Scope.of(*{row.tenant_id for row in rows})) as snapshot:
        return [Use(row, await _reason(snapshot, keyring, row)) for row in rows]


async def _administrator(snapshot: Snapshot, member_id: UUID, login_id: UUID) -> bool:
    """Says whether the scope's member is an active administrator with a good login at this moment."""
    found = await Principals(snapshot).member(member_id, login_id, None)
    if found is None:
        return False
    right, good_login, _, _ = found
    return right >= STAFF_RIGHT_ADMINISTRATOR and good_login is not None


async def _reason(snapshot: Snapshot, keyring: Keyring, row: BreakGlass) -> str:
    try:
        key = await keyring.key(snapshot, row.tenant_id)
    except KeyDestroyed:
        # The tenant was erased, and what was said about it with it.
        return ""
    return key.decrypt(row.reason, _REASON, row.id).decode()

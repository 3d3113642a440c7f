"""Setting and taking back what may be used, and the record that each change leaves."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from chassis.call import Access
from chassis.crypto import Keyring
from chassis.database import Transaction
from chassis.errors import NotFound
from services.enterprise import events, models, reasons
from services.enterprise.errors import GrantAboveRight, LockMisplaced, TeamNotFound
from services.enterprise.store import Enterprises, GrantDefaults, Grants, Rights
from wrtn.access.v1.access_pb2 import ROLE_MANAGER, TITLE_MANAGER, TITLE_OWNER
from wrtn.enterprise.v1.grants_pb2 import (
    EFFECT_DENY,
    EFFECT_UNSPECIFIED,
    GRANT_LAYER_DEFAULT,
    GRANT_LAYER_ENTERPRISE,
    GRANT_LAYER_TEAM,
)

REASON = "wrtn_grant_changes.reason"


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be set. The numbers are those of Effect and GrantLayer; no effect takes back."""

    resource: str
    effect: int
    layer: int
    team_id: UUID | None = None
    locked: bool = False
    reason: str = ""
    grant_request_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Desk:
    """Where a change is made: the locked enterprise, and who decides."""

    tx: Transaction
    keyring: Keyring
    enterprise: models.Enterprise
    decider: Access

    @property
    def tenant_id(self) -> UUID:
        """The enterprise."""
        return self.enterprise.tenant_id


async def begin(
    tx: Transaction, keyring: Keyring, tenant_id: UUID, member_id: UUID, team_id: UUID | None = None
) -> Desk:
    """Locks the enterprise against appointments and other changes, and reads anew what the decider is.

    Raises NotFound, as the interceptor does, if the member is employed there no more, and TeamNotFound.
    """
    enterprise = await Enterprises(tx, tenant_id).lock()
    decider = await Rights(tx, tenant_id).of_member(member_id, team_id)
    if enterprise is None or decider is None:
        raise NotFound("The enterprise does not exist.")
    if team_id is not None and decider.team is None:
        raise TeamNotFound("The team does not exist.", field="team_id")
    return Desk(tx, keyring, enterprise, decider)


def require_right(decider: Access, layer: int, effect: int) -> None:
    """Raises GrantAboveRight unless the decider may set this effect at this layer, in their access's team.

    The enterprise's is for its owners and managers. A team's own deny is for its chiefs and managers, and for
    those of the teams above; owners may lift it, and not set it.
    """
    if layer == GRANT_LAYER_TEAM:
        by_role = decider.team is not None and decider.team.role >= ROLE_MANAGER
        held = by_role or (effect == EFFECT_UNSPECIFIED and decider.title >= TITLE_OWNER)
    else:
        held = decider.title >= TITLE_MANAGER
    if not held:
        raise GrantAboveRight("This is not the caller's to allow or deny.")


async def put(desk: Desk, change: Change) -> models.Grant | None:
    """Sets the grant, or takes it back; answers it as it is now. What it is already changes nothing.

    Raises GrantAboveRight and LockMisplaced.
    """
    require_right(desk.decider, change.layer, change.effect)
    if change.locked and (change.effect != EFFECT_DENY or change.team_id is not None):
        raise LockMisplaced("Only a deny of the whole enterprise can be locked.", field="locked")
    grants, tx = Grants(desk.tx, desk.tenant_id), desk.tx
    row = await grants.get(change.team_id, change.resource, change.layer)
    effect, locked = (row.effect, row.locked) if row is not None else (EFFECT_UNSPECIFIED, False)
    if (effect, locked) == (change.effect, change.locked):
        return row
    grant_id = row.id if row is not None else tx.clock.new_id()
    if row is None:
        row = _row(desk, grant_id, change)
        tx.session.add(row)
    elif change.effect:
        row.effect, row.locked, row.update_time = change.effect, change.locked, tx.now
    else:
        await grants.remove(row)
    await _record(desk, change, grant_id, effect, locked_before=locked)
    return row if change.effect else None


async def put_default(desk: Desk, kind: str, effect: int, reason: str) -> models.GrantDefault:
    """Sets the default of a kind. Raises GrantAboveRight."""
    require_right(desk.decider, GRANT_LAYER_DEFAULT, effect)
    row = await GrantDefaults(desk.tx, desk.tenant_id).get(kind)
    before = row.effect if row is not None else EFFECT_UNSPECIFIED
    if row is None:
        row = models.GrantDefault(tenant_id=desk.tenant_id, kind=kind, effect=effect, update_time=desk.tx.now)
        desk.tx.session.add(row)
    if before != effect:
        row.effect, row.update_time = effect, desk.tx.now
        change = Change(f"{kind}:*", effect, GRANT_LAYER_DEFAULT, reason=reason)
        await _record(desk, change, desk.tenant_id, before, locked_before=False)
    return row


def of_enterprise(
    resource: str, effect: int, team_id: UUID | None, reason: str, *, locked: bool = False
) -> Change:
    """Answers a change by owners and managers."""
    return Change(resource, effect, GRANT_LAYER_ENTERPRISE, team_id, locked, reason)


def of_team(resource: str, effect: int, team_id: UUID, reason: str) -> Change:
    """Answers a change of a team's own deny."""
    return Change(resource, effect, GRANT_LAYER_TEAM, team_id, reason=reason)


def _row(desk: Desk, grant_id: UUID, change: Change) -> models.Grant:
    return models.Grant(
        tenant_id=desk.tenant_id,
        id=grant_id,
        team_id=change.team_id,
        resource=change.resource,
        effect=change.effect,
        layer=change.layer,
        locked=change.locked,
        create_time=desk.tx.now,
        update_time=desk.tx.now,
    )


async def _record(
    desk: Desk, change: Change, aggregate_id: UUID, before: int, *, locked_before: bool
) -> None:
    """Adds the record of the change, and tells of it; the sequence is the version of the event."""
    tx, enterprise = desk.tx, desk.enterprise
    enterprise.last_grant_change += 1
    row = models.GrantChange(
        tenant_id=desk.tenant_id,
        id=tx.clock.new_id(),
        sequence=enterprise.last_grant_change,
        team_id=change.team_id,
        resource=change.resource,
        layer=change.layer,
        effect_before=before,
        effect_after=change.effect,
        locked_before=locked_before,
        locked_after=change.locked,
        decider_employee_id=desk.decider.employee_id,
        grant_request_id=change.grant_request_id,
        create_time=tx.now,
    )
    if change.reason:
        row.reason = await reasons.seal(tx, desk.keyring, REASON, desk.tenant_id, row.id, change.reason)
    tx.session.add(row)
    tx.audit(
        "grant.changed",
        tenant_id=desk.tenant_id,
        target_id=change.team_id or desk.tenant_id,
        reason=change.reason,
        grant_change_id=row.id,
        effect_before=before,
        effect_after=change.effect,
    )
    events.grant_changed(tx, row, aggregate_id)

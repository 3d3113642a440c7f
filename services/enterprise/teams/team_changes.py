"""The records of what happened to teams, from which the tree of any past moment is read."""

from __future__ import annotations

from enum import IntEnum
from uuid import UUID

from chassis.database import Transaction
from services.enterprise import models
from services.enterprise.models import Enterprise
from services.enterprise.people import appointments
from services.enterprise.people.appointments import Decider
from services.enterprise.store import TeamChanges, tree


class Kind(IntEnum):
    """What happened. The numbers are those of the proto."""

    CREATED = 1
    RENAMED = 2
    MOVED = 3
    ORDERED = 4
    ARCHIVED = 5
    RESTORED = 6


_STATEMENTS = {
    Kind.MOVED: tree.MOVE,
    Kind.ORDERED: tree.MOVE,
    Kind.ARCHIVED: tree.ARCHIVE,
    Kind.RESTORED: tree.RESTORE,
}


async def record(
    tx: Transaction, enterprise: Enterprise, decider_id: Decider, row: models.Team, kind: Kind
) -> None:
    """Adds the record of what the team is from now on, and its audit entry."""
    enterprise.last_team_change += 1
    change = models.TeamChange(
        tenant_id=row.tenant_id,
        id=tx.clock.new_id(),
        sequence=enterprise.last_team_change,
        team_id=row.id,
        kind=kind,
        parent_team_id=row.parent_team_id,
        display_name=row.display_name,
        rank=row.rank,
        archived=row.archive_time is not None,
        **appointments.deciders(decider_id),
        create_time=appointments.moment(tx, enterprise),
    )
    # The team must be there before its record.
    await tx.session.flush()
    tx.session.add(change)
    tx.audit(f"team.{kind.name.lower()}", tenant_id=row.tenant_id, target_id=row.id)


async def archive(tx: Transaction, enterprise: Enterprise, decider_id: Decider, team_id: UUID) -> None:
    """Archives the team with all below it that is live, with a record of each, in one statement."""
    many = await _turn(tx, enterprise, decider_id, Kind.ARCHIVED, team_id)
    tx.audit("team.archived", tenant_id=enterprise.tenant_id, target_id=team_id, teams=many)


async def restore(tx: Transaction, enterprise: Enterprise, decider_id: Decider, team_id: UUID) -> None:
    """Restores all that was archived with the team, with a record of each, in one statement."""
    many = await _turn(tx, enterprise, decider_id, Kind.RESTORED, team_id)
    tx.audit("team.restored", tenant_id=enterprise.tenant_id, target_id=team_id, teams=many)


async def move(
    tx: Transaction,
    enterprise: Enterprise,
    decider_id: Decider,
    kind: Kind,
    team_id: UUID,
    parent_id: UUID | None,
    rank: int,
) -> None:
    """Puts the team at its place, with its record, in one statement. What stands below is not touched."""
    await _turn(tx, enterprise, decider_id, kind, team_id, parent_id, rank)
    tx.audit(f"team.{kind.name.lower()}", tenant_id=enterprise.tenant_id, target_id=team_id)


async def _turn(
    tx: Transaction,
    enterprise: Enterprise,
    decider_id: Decider,
    kind: Kind,
    team_id: UUID,
    parent_id: UUID | None = None,
    rank: int = 0,
) -> int:
    """Answers how many teams changed, each with its record."""
    decided, moment = appointments.deciders(decider_id), appointments.next_moment(tx, enterprise)
    many = await TeamChanges(tx, enterprise.tenant_id).turn(
        _STATEMENTS[kind],
        team_id,
        kind=kind,
        decider=decided["decider_employee_id"],
        credential=decided["decider_credential_id"],
        moment=moment,
        sequence=enterprise.last_team_change,
        parent=parent_id,
        rank=rank,
    )
    # Noted together, behind the statement: so they are one.
    enterprise.last_team_change += many
    enterprise.last_change_time = moment
    return many

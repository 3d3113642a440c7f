"""Groups of SCIM: teams that the directory of the enterprise keeps, and their companions whom it knows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from uuid import UUID

import scim2_models
from sqlalchemy import func

from chassis.database import Snapshot, Transaction
from services.enterprise import events, models, plan_limits
from services.enterprise.models import Enterprise, ScimGroup, Team
from services.enterprise.people import companions
from services.enterprise.people.appointments import Act
from services.enterprise.scim import documents
from services.enterprise.scim.documents import Group
from services.enterprise.scim.errors import (
    ScimGroupAmbiguous,
    ScimGroupHasTeams,
    ScimNotUnique,
    ScimResourceNotFound,
    ScimValueInvalid,
)
from services.enterprise.scim.filters import Column, as_id
from services.enterprise.scim.users import Directory, locked, require_version
from services.enterprise.store import Companions, GroupRow, ScimGroups, ScimUsers, Teams
from services.enterprise.teams import ranks, team_changes
from services.enterprise.teams.team_changes import Kind
from wrtn.access.v1.access_pb2 import ROLE_MEMBER, ROLE_UNSPECIFIED, TITLE_UNSPECIFIED

_REASON = "SCIM"
_LONGEST_NAME = 100

Change = Callable[[Group], Group]
"""Answers what the group is to be, from what it is now."""


async def create(tx: Transaction, directory: Directory, group: Group) -> Group:
    """Has the directory keep the team at the top that has this name, else makes one, with these members.

    Nobody is taken out of a team that was there. Raises ScimNotUnique, ScimGroupAmbiguous and
    ScimValueInvalid.
    """
    enterprise = await locked(tx, directory)
    team = await _there(tx, directory, _name(group)) or await _made(tx, directory, enterprise, _name(group))
    row = ScimGroup(
        tenant_id=team.tenant_id,
        team_id=team.id,
        external_id=group.external_id,
        create_time=tx.now,
        update_time=tx.now,
    )
    known = ScimGroups(tx, directory.tenant_id)
    if group.external_id:
        await known.release(group.external_id)
    if not await known.add(row):
        raise ScimNotUnique("There is a group with this externalId already.")
    tx.audit("scim.group_created", tenant_id=team.tenant_id, target_id=team.id)
    await _add_members(tx, directory, enterprise, team, await _wanted(tx, directory, group))
    await tx.session.flush()
    return await _one(tx, directory, (row, team))


async def update(
    tx: Transaction, directory: Directory, group_id: str, change: Change, if_match: str
) -> Group:
    """Renames the team, and has the members in it that the group names.

    Raises ScimResourceNotFound, ScimResourceChanged, ScimNotUnique, ScimValueInvalid and what the change
    raises.
    """
    enterprise = await locked(tx, directory)
    row, team = await found(tx, directory, group_id)
    before = await _one(tx, directory, (row, team))
    require_version(documents.version_of(before), if_match)
    after = change(before)
    known = ScimGroups(tx, directory.tenant_id)
    if after.external_id != row.external_id:
        if after.external_id and await known.holder(after.external_id) not in (None, team.id):
            raise ScimNotUnique("There is a group with this externalId already.")
        row.external_id = after.external_id
    name = _name(after)
    if name != team.display_name:
        team.display_name = name
        team.version += 1
        await team_changes.record(tx, enterprise, directory.key, team, Kind.RENAMED)
        events.team_renamed(tx, team)
    await _set_members(tx, directory, enterprise, team, after)
    await tx.session.flush()
    changed = await _one(tx, directory, (row, team))
    if documents.version_of(changed) != documents.version_of(before):
        row.update_time = tx.now
        changed = await _one(tx, directory, (row, team))
    return changed


async def delete(tx: Transaction, directory: Directory, group_id: str, if_match: str) -> None:
    """Archives the team, and forgets the group. Raises as `update` does, and ScimGroupHasTeams."""
    enterprise = await locked(tx, directory)
    row, team = await found(tx, directory, group_id)
    require_version(documents.version_of(await _one(tx, directory, (row, team))), if_match)
    if await Teams(tx, directory.tenant_id).children(team.id, None, 1):
        raise ScimGroupHasTeams("Teams stand below this group's team: move or archive them first.")
    await team_changes.archive(tx, enterprise, directory.key, team.id)
    await tx.session.refresh(team)
    events.team_archived(tx, team)
    await ScimGroups(tx, directory.tenant_id).remove(team.id)


async def found(tx: Snapshot, directory: Directory, group_id: str) -> GroupRow:
    """Answers the group; raises ScimResourceNotFound."""
    wanted = as_id(group_id)
    row = await ScimGroups(tx, directory.tenant_id).get(wanted) if wanted else None
    if row is None:
        raise ScimResourceNotFound("There is no such group.")
    return row


async def rendered(tx: Snapshot, directory: Directory, rows: Sequence[GroupRow]) -> list[Group]:
    """Answers the groups as SCIM shows them."""
    members = defaultdict(list)
    for each in await ScimGroups(tx, directory.tenant_id).members([team.id for _, team in rows]):
        members[each.team_id].append(_member(each.employee_id))
    shown = []
    for row, team in rows:
        group = Group(
            display_name=team.display_name, external_id=row.external_id, members=members[team.id] or None
        )
        documents.stamp(group, team.id, row.create_time, row.update_time)
        shown.append(group)
    return shown


def columns() -> dict[str, Column]:
    """Answers what filters may compare."""
    return {
        "displayname": lambda value: func.lower(Team.display_name) == str(value).lower(),
        "externalid": lambda value: ScimGroup.external_id == str(value),
        "id": lambda value: ScimGroup.team_id == as_id(value),
    }


async def _one(tx: Snapshot, directory: Directory, row: GroupRow) -> Group:
    return (await rendered(tx, directory, [row]))[0]


def _member(employee_id: UUID) -> scim2_models.GroupMember:
    location = f"{documents.BASE}/Users/{employee_id}"
    return scim2_models.GroupMember.model_validate(
        {"value": str(employee_id), "type": "User", "$ref": location}
    )


def _name(group: Group) -> str:
    name = (group.display_name or "").strip()
    if not 0 < len(name) <= _LONGEST_NAME or "\0" in name:
        raise ScimValueInvalid(f"The displayName of a group has 1 to {_LONGEST_NAME} characters.")
    return name


async def _there(tx: Transaction, directory: Directory, name: str) -> Team | None:
    """Answers the team that people made, and no directory keeps yet. Raises ScimGroupAmbiguous."""
    teams = await ScimGroups(tx, directory.tenant_id).unkept(name)
    if len(teams) > 1:
        raise ScimGroupAmbiguous(
            "Several teams at the top have this name: rename all but the one that is meant."
        )
    return teams[0] if teams else None


async def _made(tx: Transaction, directory: Directory, enterprise: Enterprise, name: str) -> Team:
    """Makes a team at the top. Raises PlanLimitReached."""
    await plan_limits.require_team(tx, directory.tenant_id)
    team = Team(
        tenant_id=directory.tenant_id,
        id=tx.clock.new_id(),
        parent_team_id=None,
        display_name=name,
        create_time=tx.now,
        rank=ranks.after(await Teams(tx, directory.tenant_id).last_rank(None)),
        version=1,
    )
    tx.session.add(team)
    await team_changes.record(tx, enterprise, directory.key, team, Kind.CREATED)
    events.team_created(tx, team, ())
    return team


async def _set_members(
    tx: Transaction, directory: Directory, enterprise: Enterprise, team: models.Team, group: Group
) -> None:
    """Takes out who is not named, whatever their role; who is in already keeps the role that they have."""
    wanted = await _wanted(tx, directory, group)
    here = {each.employee_id: each for each in await ScimGroups(tx, team.tenant_id).members([team.id])}
    for employee_id in sorted(here.keys() - wanted):
        act = Act("companion.removed", employee_id, directory.key, _REASON)
        await companions.change(tx, directory.keyring, enterprise, here[employee_id], act)
    await _add_members(tx, directory, enterprise, team, wanted - here.keys())


async def _add_members(
    tx: Transaction, directory: Directory, enterprise: Enterprise, team: models.Team, wanted: set[UUID]
) -> None:
    """Takes in who is not in the team yet, as members of it."""
    for employee_id in sorted(wanted):
        row = await Companions(tx, team.tenant_id).get(team.id, employee_id)
        if row is None:
            row = companions.join(tx, team.tenant_id, team.id, employee_id)
        elif row.role == ROLE_UNSPECIFIED:
            row.create_time = tx.now
        else:
            continue
        act = Act("companion.appointed", employee_id, directory.key, _REASON, role_after=ROLE_MEMBER)
        await companions.change(tx, directory.keyring, enterprise, row, act)


async def _wanted(tx: Transaction, directory: Directory, group: Group) -> set[UUID]:
    """Answers the employees whom the group names; those not active cannot be in a team, and are left out.

    Raises ScimValueInvalid for who is no user: groups are not nested.
    """
    named = set()
    for each in group.members or []:
        employee_id = as_id(str(each.value))
        if employee_id is None or str(each.type or "User") != "User":
            raise ScimValueInvalid("The members of groups are users: groups are not nested.")
        named.add(employee_id)
    known = await ScimUsers(tx, directory.tenant_id).among(sorted(named))
    if named - known.keys():
        raise ScimValueInvalid("A member of the group is none of the users.")
    return {each.id for each in known.values() if each.title != TITLE_UNSPECIFIED}

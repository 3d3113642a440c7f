"""Who may appoint whom: pure rules over titles and roles (wrtn.access.v1), after the sentences in the protos.

A title is of the whole enterprise. A role is of one team and counts for every team below it.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from chassis.call import Access
from wrtn.access.v1.access_pb2 import (
    ROLE_CHIEF,
    ROLE_MANAGER,
    ROLE_MEMBER,
    ROLE_UNSPECIFIED,
    TITLE_MANAGER,
    TITLE_MEMBER,
    TITLE_OWNER,
)


@dataclass(frozen=True, slots=True)
class Standing:
    """What a decider is with regard to one team. The numbers are those of Title and Role."""

    title: int
    role: int = ROLE_UNSPECIFIED
    """The role in that very team."""
    above: int = ROLE_UNSPECIFIED
    """The greatest role in a team above it."""


def standing_of(access: Access) -> Standing:
    """Answers the standing in the team that the access was resolved for, or by title alone without one."""
    if access.team is None:
        return Standing(access.title)
    return Standing(
        access.title, _role_in(access, access.team.team_id), greatest_role(access, access.team.ancestor_ids)
    )


def greatest_role(access: Access, team_ids: tuple[UUID, ...]) -> int:
    """Answers the greatest role that the employee holds in one of these very teams."""
    return max((_role_in(access, team_id) for team_id in team_ids), default=ROLE_UNSPECIFIED)


def may_hire(decider_title: int, title: int) -> bool:
    """Whether one of this title may employ somebody with that one.

    Members are hired by managers and owners, managers and owners by owners alone.
    """
    least = TITLE_MANAGER if title == TITLE_MEMBER else TITLE_OWNER
    return TITLE_MEMBER <= title <= TITLE_OWNER and decider_title >= least


def may_give(decider: Standing, role: int) -> bool:
    """Whether this decider may give that role in the team.

    Chiefs are appointed by owners and managers of the enterprise, and by a chief above; managers also by
    chiefs of the team or above; members also by managers.
    """
    if decider.title >= TITLE_MANAGER:
        return ROLE_MEMBER <= role <= ROLE_CHIEF
    held = max(decider.role, decider.above)
    if role == ROLE_CHIEF:
        return decider.above >= ROLE_CHIEF
    if role == ROLE_MANAGER:
        return held >= ROLE_CHIEF
    return role == ROLE_MEMBER and held >= ROLE_MANAGER


def may_appoint(decider: Standing, before: int, after: int, *, themself: bool) -> bool:
    """Whether this decider may change the appointee's role in the team from `before` to `after`.

    One changes only the role that one could give, and nobody raises themself. Owners and managers of the
    enterprise may join a team: their title lets them give every role already, so none of them raises it.
    """
    if themself and after > before and decider.title < TITLE_MANAGER:
        return False
    return may_give(decider, after) and (before == ROLE_UNSPECIFIED or may_give(decider, before))


def _role_in(access: Access, team_id: UUID) -> int:
    return access.roles.get(team_id, ROLE_UNSPECIFIED)

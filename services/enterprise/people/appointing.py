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
    TITLE_UNSPECIFIED,
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


def may_retitle(decider_title: int, before: int, after: int, *, themself: bool) -> bool:
    """Whether one of this title may change somebody's title from `before` to `after`, or dismiss them.

    One demotes and dismisses only whom one could employ with that title, nobody raises themself, and who goes
    by themself leaves (LeaveEnterprise) instead of dismissing themself.
    """
    if themself and (after > before or after == TITLE_UNSPECIFIED):
        return False
    return may_hire(decider_title, before) and (after == TITLE_UNSPECIFIED or may_hire(decider_title, after))


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
    """Whether this decider may change the appointee's role in the team from `before` to `after`, or to none.

    One changes and takes only the role that one could give, and nobody raises themself. Owners and managers
    of the enterprise may join a team: their title lets them give every role, so none of them raises it.
    """
    if themself and after > before and decider.title < TITLE_MANAGER:
        return False
    changed = [each for each in (before, after) if each != ROLE_UNSPECIFIED]
    return bool(changed) and all(may_give(decider, each) for each in changed)


def may_keep(decider: Standing) -> bool:
    """Whether this decider may move, archive or order the team.

    Owners and managers of the enterprise may, and the chief of a team above it.
    """
    return decider.title >= TITLE_MANAGER or decider.above >= ROLE_CHIEF


def _role_in(access: Access, team_id: UUID) -> int:
    return access.roles.get(team_id, ROLE_UNSPECIFIED)

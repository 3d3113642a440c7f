"""What is asked before a team changes: whether it is there, live, and the caller's to decide about."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from chassis.call import Access
from services.enterprise.errors import (
    EtagMismatch,
    TeamAboveRight,
    TeamArchived,
    TeamNotFound,
    TeamTooDeep,
)
from services.enterprise.models import Team
from services.enterprise.people import appointing
from services.enterprise.store import tree
from wrtn.access.v1.access_pb2 import ROLE_CHIEF, TITLE_MANAGER


def known(team: Team | None, etag: str) -> Team:
    """Answers the team; raises TeamNotFound, and EtagMismatch unless the etag is its own or empty."""
    if team is None:
        raise TeamNotFound("The team does not exist.", field="team_id")
    if etag not in ("", str(team.version)):
        raise EtagMismatch("The team has changed since: read it again.", field="etag")
    return team


def live(team: Team | None, etag: str) -> Team:
    """Answers the team as `known` does; raises TeamArchived as well."""
    found = known(team, etag)
    if found.archive_time is not None:
        raise TeamArchived("The team is archived: restore it first.", field="team_id")
    return found


def require_keeping(decider: Access) -> None:
    """Raises TeamAboveRight unless the decider may move and archive the team of their place."""
    if not appointing.may_keep(appointing.standing_of(decider)):
        raise TeamAboveRight("The team is not the caller's to decide about.", field="team_id")


def require_chief_of_line(decider: Access, line: tuple[UUID, ...]) -> None:
    """Raises TeamAboveRight unless the decider may put a team below this line, by title or as its chief."""
    if decider.title < TITLE_MANAGER and appointing.greatest_role(decider, line) < ROLE_CHIEF:
        raise TeamAboveRight("The place is not the caller's to decide about.", field="parent_team_id")


def require_room(line: Sequence[UUID], height: int) -> None:
    """Raises TeamTooDeep if so many levels below this line would stand too deep."""
    if len(line) + height > tree.MOST_DEEP:
        raise TeamTooDeep(f"Teams stand {tree.MOST_DEEP} deep at most.", field="parent_team_id")

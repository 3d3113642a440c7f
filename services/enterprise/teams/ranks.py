"""The order of siblings: whole numbers with gaps, so that a move writes one row.

Everything that changes the tree holds the lock of the enterprise, so nobody else orders the same siblings.
When a gap is used up, which takes 32 moves into the same one, the siblings are numbered anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from services.enterprise.errors import SiblingNotFound
from services.enterprise.store import Teams

GAP = 2**32


def after(rank: int) -> int:
    """Answers the rank of one that follows the last."""
    return rank + GAP


async def place(
    teams: Teams, siblings: Sequence[tuple[UUID, int]], team_id: UUID, before: str, behind: str
) -> int:
    """Answers the rank by which the team stands before or behind one of the siblings, else last.

    The siblings are in their order, each with its rank, the team among them if it stands there already: then
    it keeps its rank where it keeps its place. Raises SiblingNotFound.
    """
    others = [each for each in siblings if each[0] != team_id]
    at = len(others)
    if before or behind:
        ids = [each[0] for each in others]
        named = UUID(before or behind)
        if named not in ids:
            field = "before_team_id" if before else "after_team_id"
            raise SiblingNotFound("No such team stands there.", field=field)
        at = ids.index(named) + (0 if before else 1)
    current = [each[0] for each in siblings]
    if team_id in current and current.index(team_id) == at:
        return siblings[at][1]
    rank = between([each[1] for each in others], at)
    if rank is None:
        await teams.number([each[0] for each in others], GAP)
        rank = between([GAP * number for number in range(1, len(others) + 1)], at)
    if rank is None:
        raise LookupError("ranks that were numbered anew have no gap")
    return rank


def between(ranks: list[int], at: int) -> int | None:
    """Answers a rank for the place `at` among these, which rise; None if the gap there is used up."""
    if at == len(ranks):
        return after(ranks[-1]) if ranks else GAP
    low = ranks[at - 1] if at else ranks[0] - 2 * GAP
    middle = (low + ranks[at]) // 2
    return middle if low < middle < ranks[at] else None

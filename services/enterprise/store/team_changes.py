"""The queries on the records of teams."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from services.enterprise.store import tree
from services.enterprise.store.rows import Rows


class TeamChanges(Rows):
    """The records of what happened to teams."""

    async def turn(
        self,
        statement: str,
        team_id: UUID,
        *,
        kind: int,
        decider: UUID | None,
        credential: UUID | None,
        moment: datetime,
        sequence: int,
        parent: UUID | None = None,
        rank: int = 0,
    ) -> int:
        """Archives, restores or moves the team with those that go with it, each recorded; answers how many.

        `statement` is one of tree.py's; `parent` and `rank` are for a move. The records follow `sequence`, in
        the order of the teams' ids.
        """
        values = {
            "tenant": self._tenant_id,
            "team": team_id,
            "deep": tree.MOST_DEEP,
            "kind": kind,
            "decider": decider,
            "credential": credential,
            "moment": moment,
            "sequence": sequence,
            "parent": parent,
            "rank": rank,
        }
        return (await (await self._tx.driver()).execute(statement, values)).rowcount

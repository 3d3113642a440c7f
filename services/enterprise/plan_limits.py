"""What the plan of an enterprise lets there be. What is there when a limit sinks stays.

To be asked behind the enterprise's lock: of two who race for the last place one gets it.
"""

from __future__ import annotations

from uuid import UUID

from chassis.database import Transaction
from services.enterprise.errors import PlanLimitReached
from services.enterprise.store import PlanLimits, Room


async def require_employee(tx: Transaction, tenant_id: UUID) -> None:
    """Raises PlanLimitReached unless one more may be employed."""
    _require("employees", await PlanLimits(tx, tenant_id).employees(), "dismiss somebody")


async def require_invitation(tx: Transaction, tenant_id: UUID) -> None:
    """Raises PlanLimitReached unless one more may come, were all invitations accepted."""
    _require("employees", await PlanLimits(tx, tenant_id).expected(), "revoke an invitation")


async def require_team(tx: Transaction, tenant_id: UUID) -> None:
    """Raises PlanLimitReached unless there may be one more team."""
    require_teams(await PlanLimits(tx, tenant_id).teams())


def require_teams(before: Room, more: int = 1) -> None:
    """Raises PlanLimitReached unless there may be so many more teams."""
    _require("teams", before, "archive another one", more)


def _require(limit: str, room: Room, instead: str, more: int = 1) -> None:
    if room.most and room.used + more > room.most:
        raise PlanLimitReached(
            f"The plan allows {room.most} {limit} and there are {room.used}: {instead}, or change the plan.",
            limit=limit,
            most=str(room.most),
            used=str(room.used),
        )

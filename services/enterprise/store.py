"""Every query. A class an aggregate, bound to one tenant at construction."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.call import Access, TeamPlace
from chassis.database import Snapshot
from services.enterprise import tree
from services.enterprise.models import Appointment, Companion, Employee, Enterprise, Slug, Team


class _Rows:
    """What the stores share: a transaction, and the tenant whose rows alone they touch."""

    def __init__(self, tx: Snapshot, tenant_id: UUID) -> None:
        self._tx = tx
        self._tenant_id = tenant_id

    @property
    def _session(self) -> AsyncSession:
        return self._tx.session

    def _walk_from(self, team_ids: Sequence[UUID]) -> dict[str, object]:
        """Answers the parameters of a walk up the tree from these teams."""
        return {"tenant": self._tenant_id, "teams": list(team_ids), "deep": tree.MOST_DEEP}


class Enterprises(_Rows):
    """The enterprise itself, and its slug."""

    async def take_slug(self, slug: str) -> bool:
        """Takes the slug in the whole suite; answers False if it is another's, or about to be."""
        statement = insert(Slug).values(slug=slug, tenant_id=self._tenant_id)
        taken = statement.on_conflict_do_nothing(index_elements=["slug"]).returning(Slug.tenant_id)
        return await self._session.scalar(taken) is not None

    async def get(self) -> Enterprise | None:
        """Answers the enterprise."""
        return await self._session.get(Enterprise, self._tenant_id)

    async def lock(self) -> Enterprise | None:
        """Answers the enterprise, and makes every other appointment in it wait for this transaction.

        So the sequence has no gap, and rights read afterwards are those after all earlier appointments.
        """
        return await self._session.get(Enterprise, self._tenant_id, with_for_update={"key_share": True})


class Employees(_Rows):
    """The employees of the enterprise."""

    async def get(self, employee_id: UUID) -> Employee | None:
        """Answers the employee."""
        return await self._session.get(Employee, (self._tenant_id, employee_id))

    async def page(self, after: int, size: int) -> Sequence[Employee]:
        """Answers those after this place in the order of employment."""
        wanted = select(Employee).where(Employee.tenant_id == self._tenant_id, Employee.sequence > after)
        return (await self._session.scalars(wanted.order_by(Employee.sequence).limit(size))).all()

    async def add(self, row: Employee) -> bool:
        """Adds the employee; answers False if the member is employed here already."""
        values = {each.name: getattr(row, each.name) for each in Employee.__table__.columns}
        statement = insert(Employee).values(values)
        added = statement.on_conflict_do_nothing(index_elements=["member_id", "tenant_id"]).returning(
            Employee.id
        )
        return await self._session.scalar(added) is not None


class Teams(_Rows):
    """The teams of the enterprise."""

    async def get(self, team_id: UUID) -> Team | None:
        """Answers the team."""
        return await self._session.get(Team, (self._tenant_id, team_id))

    async def page(self, after: UUID | None, size: int, parent_team_id: UUID | None) -> Sequence[Team]:
        """Answers the teams with greater ids, only the direct sub-teams of one if it is named."""
        wanted = select(Team).where(Team.tenant_id == self._tenant_id)
        if parent_team_id is not None:
            wanted = wanted.where(Team.parent_team_id == parent_team_id)
        if after is not None:
            wanted = wanted.where(Team.id > after)
        return (await self._session.scalars(wanted.order_by(Team.id).limit(size))).all()

    async def lines(self, team_ids: Sequence[UUID]) -> dict[UUID, tuple[UUID, ...]]:
        """Answers for each of these teams itself and the teams above it, the nearest first."""
        driver = await self._tx.driver()
        found = await driver.execute(tree.LINES, self._walk_from(team_ids))
        return {row[0]: tuple(row[1]) for row in await found.fetchall()}


class Companions(_Rows):
    """The employees in the teams."""

    async def get(self, team_id: UUID, employee_id: UUID) -> Companion | None:
        """Answers the employee in the team."""
        wanted = select(Companion).where(
            Companion.tenant_id == self._tenant_id,
            Companion.team_id == team_id,
            Companion.employee_id == employee_id,
        )
        return (await self._session.scalars(wanted)).one_or_none()

    async def page(self, team_id: UUID, after: UUID | None, size: int) -> Sequence[Companion]:
        """Answers the companions of the team with greater ids."""
        wanted = select(Companion).where(Companion.tenant_id == self._tenant_id, Companion.team_id == team_id)
        if after is not None:
            wanted = wanted.where(Companion.id > after)
        return (await self._session.scalars(wanted.order_by(Companion.id).limit(size))).all()


class Appointments(_Rows):
    """The records of appointments."""

    async def page(self, before: int | None, size: int, employee_id: UUID | None) -> Sequence[Appointment]:
        """Answers the records before this one, the newest first; only those of one employee if named."""
        wanted = select(Appointment).where(Appointment.tenant_id == self._tenant_id)
        if employee_id is not None:
            wanted = wanted.where(Appointment.employee_id == employee_id)
        if before is not None:
            wanted = wanted.where(Appointment.sequence < before)
        return (await self._session.scalars(wanted.order_by(Appointment.sequence.desc()).limit(size))).all()


class Rights(_Rows):
    """What accounts are in the enterprise."""

    async def of(self, account_id: UUID, team_id: UUID | None = None) -> Access | None:
        """Answers who the account is, and its place in the team if one is named, in one statement."""
        driver = await self._tx.driver()
        parameters = self._walk_from([] if team_id is None else [team_id]) | {"account": account_id}
        row = await (await driver.execute(tree.ACCESS, parameters)).fetchone()
        if row is None:
            return None
        employee_id, member_id, title, team_ids, held, line = row
        roles = dict(zip(team_ids or (), held or (), strict=True))
        return Access(self._tenant_id, employee_id, member_id, title, roles, _place(line, roles))


def _place(line: list[UUID] | None, roles: dict[UUID, int]) -> TeamPlace | None:
    """Answers the place of the first team of the line, which goes up to the top."""
    if not line:
        return None
    role = max(roles.get(team_id, 0) for team_id in line)
    return TeamPlace(line[0], tuple(line[1:]), role, companion=line[0] in roles)


async def employers(tx: Snapshot, member_id: UUID, after: UUID | None, size: int) -> Sequence[UUID]:
    """Answers the enterprises that employ the member, in the order of their ids.

    Needs a scope of that member: the second policy of row level security shows their own rows in any tenant.
    """
    wanted = select(Employee.tenant_id).where(Employee.member_id == member_id)
    if after is not None:
        wanted = wanted.where(Employee.tenant_id > after)
    return (await tx.session.scalars(wanted.order_by(Employee.tenant_id).limit(size))).all()


async def enterprises(tx: Snapshot, tenant_ids: Sequence[UUID]) -> Sequence[Enterprise]:
    """Answers these enterprises in the order of their ids. Needs a scope of all of them."""
    wanted = select(Enterprise).where(Enterprise.tenant_id.in_(tenant_ids)).order_by(Enterprise.tenant_id)
    return (await tx.session.scalars(wanted)).all()

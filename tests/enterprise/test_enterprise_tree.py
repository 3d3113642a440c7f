"""The tree of teams: ancestors are always right, whatever its shape."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from uuid import UUID

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chassis.clock import Clock
from chassis.database import Database, Scope
from chassis.testing.databases import DatabaseFactory
from services.enterprise.models import Companion, Employee, Enterprise, Slug, Team
from services.enterprise.store import Rights, Teams, tree


def shape(wanted: Sequence[int | None]) -> list[int | None]:
    """Answers the parent of each team: one that was made before it, or none."""
    return [
        None if parent is None or number == 0 else parent % number for number, parent in enumerate(wanted)
    ]


SHAPES = st.lists(st.one_of(st.none(), st.integers(0, 30)), min_size=1, max_size=30).map(shape)


@pytest_asyncio.fixture
async def db(database: DatabaseFactory) -> AsyncIterator[Database]:
    yield (await database("enterprise")).app


async def found(db: Database, clock: Clock) -> Enterprise:
    """Puts an enterprise into the tables."""
    tenant_id = clock.new_id()
    async with db.transaction(Scope.of(tenant_id)) as tx:
        tx.session.add(Slug(slug=f"s{tenant_id.hex}", tenant_id=tenant_id))
        await tx.session.flush()
        row = Enterprise(
            tenant_id=tenant_id,
            display_name="Acme",
            slug=f"s{tenant_id.hex}",
            time_zone="UTC",
            last_appointment=0,
            create_time=tx.now,
        )
        tx.session.add(row)
    return row


async def grow(db: Database, clock: Clock, tenant_id: UUID, parents: Sequence[int | None]) -> list[UUID]:
    """Puts teams of this shape into the tables, and answers their ids."""
    ids = [clock.new_id() for _ in parents]
    async with db.transaction(Scope.of(tenant_id)) as tx:
        for number, parent in enumerate(parents):
            tx.session.add(
                Team(
                    tenant_id=tenant_id,
                    id=ids[number],
                    parent_team_id=None if parent is None else ids[parent],
                    display_name=f"Team {number}",
                    create_time=tx.now,
                )
            )
            await tx.session.flush()
    return ids


def line_of(number: int, parents: Sequence[int | None]) -> list[int]:
    """Walks up the shape, as a reader would with a finger."""
    line = [number]
    while (parent := parents[line[-1]]) is not None:
        line.append(parent)
    return line


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parents=SHAPES)
async def test_the_ancestors_of_every_team_are_right(
    db: Database, clock: Clock, parents: list[int | None]
) -> None:
    tenant_id = (await found(db, clock)).tenant_id
    ids = await grow(db, clock, tenant_id, parents)
    async with db.snapshot(Scope.of(tenant_id)) as tx:
        lines = await Teams(tx, tenant_id).lines(ids)
    assert lines == {
        ids[number]: tuple(ids[above] for above in line_of(number, parents)) for number in range(len(ids))
    }


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parents=SHAPES, held=st.dictionaries(st.integers(0, 29), st.integers(1, 3), max_size=6))
async def test_a_role_counts_for_every_team_below_and_for_no_other(
    db: Database, clock: Clock, parents: list[int | None], held: dict[int, int]
) -> None:
    tenant_id = (await found(db, clock)).tenant_id
    ids = await grow(db, clock, tenant_id, parents)
    roles = {number: role for number, role in held.items() if number < len(ids)}
    account_id = await employ(db, clock, tenant_id, {ids[number]: role for number, role in roles.items()})
    async with db.snapshot(Scope.of(tenant_id)) as tx:
        for number in range(len(ids)):
            access = await Rights(tx, tenant_id).of(account_id, ids[number])
            assert access is not None
            assert access.team is not None
            assert access.team.role == max(roles.get(above, 0) for above in line_of(number, parents))
            assert access.team.companion == (number in roles)


async def employ(db: Database, clock: Clock, tenant_id: UUID, roles: dict[UUID, int]) -> UUID:
    """Puts an employee with these roles into the tables, and answers the account's id."""
    async with db.transaction(Scope.of(tenant_id)) as tx:
        row = Employee(
            tenant_id=tenant_id,
            id=clock.new_id(),
            member_id=clock.new_id(),
            account_id=clock.new_id(),
            title=1,
            sequence=1,
            create_time=tx.now,
        )
        tx.session.add(row)
        await tx.session.flush()
        for team_id, role in roles.items():
            tx.session.add(
                Companion(
                    tenant_id=tenant_id,
                    id=clock.new_id(),
                    team_id=team_id,
                    employee_id=row.id,
                    role=role,
                    version=1,
                    create_time=tx.now,
                )
            )
    return row.account_id


async def test_a_walk_ends_even_in_a_circle_that_no_code_of_ours_makes(db: Database, clock: Clock) -> None:
    tenant_id = (await found(db, clock)).tenant_id
    top, below = await grow(db, clock, tenant_id, [None, 0])
    async with db.transaction(Scope.of(tenant_id)) as tx:
        (await tx.session.get_one(Team, (tenant_id, top))).parent_team_id = below
    async with db.snapshot(Scope.of(tenant_id)) as tx:
        assert len((await Teams(tx, tenant_id).lines([below]))[below]) == tree.MOST_DEEP + 1


async def test_no_team_is_seen_from_another_tenant(db: Database, clock: Clock) -> None:
    tenant_id = (await found(db, clock)).tenant_id
    (team_id,) = await grow(db, clock, tenant_id, [None])
    async with db.snapshot(Scope.of(clock.new_id())) as tx:
        assert await Teams(tx, tenant_id).lines([team_id]) == {}
        assert await Teams(tx, tenant_id).get(team_id) is None


@pytest.mark.parametrize("statement", ["UPDATE {} SET reason = NULL", "DELETE FROM {}", "TRUNCATE {}"])
async def test_the_database_refuses_to_alter_appointments(
    database: DatabaseFactory, clock: Clock, statement: str
) -> None:
    made = await database("enterprise")
    with pytest.raises(Exception, match=r"insert-only|permission denied"):
        async with made.app.transaction(Scope.of(clock.new_id())) as tx:
            await (await tx.driver()).execute(statement.format("wrtn_appointments").encode())

"""An enterprise as large as is promised: 10,000 teams ten deep, 100,000 employees, put in by COPY."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg

from chassis.clock import Clock

TEAMS = 10_000
EMPLOYEES = 100_000
DEEP = 10
DENIED = "model:vendor/denied"
GRANTS = (("model:vendor/*", 1), (DENIED, 2))
"""What the teams are granted, by turns: the resource and the effect."""
_HALVES = 2
_SEED = 5
_NOW = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Person:
    """An employee in one team."""

    employee_id: UUID
    member_id: UUID
    account_id: UUID
    team_id: UUID


@dataclass(frozen=True, slots=True)
class Enterprise:
    """What was put in. Its tree has two halves: `tops` are their highest teams."""

    id: UUID
    tops: Sequence[UUID]
    owner: Person
    people: Sequence[Person]


def build(admin_url: str) -> Enterprise:
    """Puts an enterprise into the migrated database, past row level security: needs a superuser."""
    clock, chance = Clock(), random.Random(_SEED)
    enterprise_id = clock.new_id()
    parents = [each for _ in range(_HALVES) for each in _half(TEAMS // _HALVES, chance)]
    ids = [clock.new_id() for _ in parents]
    offset = TEAMS // _HALVES
    teams = [
        (ids[n], ids[n // offset * offset + parent] if parent is not None else None)
        for n, parent in enumerate(parents)
    ]
    people = [
        Person(clock.new_id(), clock.new_id(), clock.new_id(), ids[n % TEAMS]) for n in range(EMPLOYEES)
    ]
    with psycopg.connect(admin_url) as admin:
        # No look at each foreign key: they are right by construction.
        admin.execute("SET session_replication_role = replica")
        admin.execute(
            "INSERT INTO wrtn_slugs (slug, tenant_id) VALUES (%s, %s)",
            (f"bench-{enterprise_id.hex}", enterprise_id),
        )
        admin.execute(
            "INSERT INTO wrtn_enterprises"
            " (tenant_id, display_name, slug, time_zone, last_appointment, create_time)"
            " VALUES (%s, 'Bench', %s, 'UTC', %s, %s)",
            (enterprise_id, f"bench-{enterprise_id.hex}", EMPLOYEES, _NOW),
        )
        _copy(
            admin,
            "wrtn_teams (tenant_id, id, parent_team_id, display_name, create_time)",
            ((enterprise_id, team_id, parent, "Team", _NOW) for team_id, parent in teams),
        )
        _copy(
            admin,
            "wrtn_employees (tenant_id, id, member_id, account_id, title, sequence, create_time)",
            (
                (
                    enterprise_id,
                    each.employee_id,
                    each.member_id,
                    each.account_id,
                    3 if n == 0 else 1,
                    n + 1,
                    _NOW,
                )
                for n, each in enumerate(people)
            ),
        )
        _copy(
            admin,
            "wrtn_companions (tenant_id, id, team_id, employee_id, role, version, create_time)",
            (
                (enterprise_id, clock.new_id(), each.team_id, each.employee_id, 1 + n % 3, 1, _NOW)
                for n, each in enumerate(people)
            ),
        )
        _copy(
            admin,
            "wrtn_grants (tenant_id, id, team_id, resource, effect, layer, locked, create_time, update_time)",
            (
                (enterprise_id, clock.new_id(), team_id, *GRANTS[n % 2], 1, False, _NOW, _NOW)
                for n, team_id in enumerate(ids)
            ),
        )
        admin.commit()
        admin.autocommit = True
        admin.execute("VACUUM ANALYZE")
        # What was put in is written to disk now, and not beside what is measured.
        admin.execute("CHECKPOINT")
    return Enterprise(enterprise_id, [ids[0], ids[offset]], people[0], people)


def _half(count: int, chance: random.Random) -> list[int | None]:
    """Answers the parents of a tree `DEEP` deep, each a number before: one at the top, others in layers."""
    parents: list[int | None] = [None]
    above, size = [0], (count - 1) // (DEEP - 1)
    for layer in range(1, DEEP):
        many = size if layer < DEEP - 1 else count - len(parents)
        here = list(range(len(parents), len(parents) + many))
        parents += [chance.choice(above) for _ in here]
        above = here
    return parents


def _copy(admin: psycopg.Connection[Any], into: str, rows: Iterable[tuple[object, ...]]) -> None:
    with admin.cursor() as cursor, cursor.copy(f"COPY {into} FROM STDIN".encode()) as copy:
        for row in rows:
            copy.write_row(row)

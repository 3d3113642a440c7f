"""An enterprise as large as is promised: 10,000 teams ten deep, 100,000 employees, put in by COPY."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain, cycle, repeat
from typing import Any
from uuid import UUID

import psycopg

from chassis.clock import Clock
from wrtn.access.v1.access_pb2 import ROLE_CHIEF, ROLE_MANAGER, ROLE_MEMBER, TITLE_MEMBER, TITLE_OWNER
from wrtn.enterprise.v1.grants_pb2 import EFFECT_ALLOW, EFFECT_DENY, GRANT_LAYER_ENTERPRISE

TEAMS = 10_000
EMPLOYEES = 100_000
DEEP = 10
DENIED = "model:vendor/denied"
GRANTS = (("model:vendor/*", EFFECT_ALLOW), (DENIED, EFFECT_DENY))
"""What the teams are granted, by turns: the resource and the effect."""
_HALVES = 2
_SEED = 5
_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_ROLES = (ROLE_MEMBER, ROLE_MANAGER, ROLE_CHIEF)
_Admin = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class Person:
    """An employee in one team."""

    employee_id: UUID
    member_id: UUID
    account_id: UUID
    team_id: UUID


@dataclass(frozen=True, slots=True)
class _Team:
    id: UUID
    parent_id: UUID | None


@dataclass(frozen=True, slots=True)
class Enterprise:
    """What was put in. Its tree has two halves: `tops` are their highest teams."""

    id: UUID
    tops: Sequence[UUID]
    owner: Person
    people: Sequence[Person]


def build(admin_url: str) -> Enterprise:
    """Puts an enterprise into the migrated database, past row level security: needs a superuser."""
    clock = Clock()
    enterprise_id, teams = clock.new_id(), _tree(clock)
    people = [
        Person(clock.new_id(), clock.new_id(), clock.new_id(), teams[n % TEAMS].id) for n in range(EMPLOYEES)
    ]
    with psycopg.connect(admin_url) as admin:
        # No look at each foreign key: they are right by construction.
        admin.execute("SET session_replication_role = replica")
        _put_enterprise(admin, enterprise_id)
        _put_teams(admin, enterprise_id, teams)
        _put_people(admin, enterprise_id, people, clock)
        _put_grants(admin, enterprise_id, teams, clock)
        admin.commit()
        admin.autocommit = True
        admin.execute("VACUUM ANALYZE")
        # What was put in is written to disk now, and not beside what is measured.
        admin.execute("CHECKPOINT")
    return Enterprise(enterprise_id, [each.id for each in teams if not each.parent_id], people[0], people)


def _tree(clock: Clock) -> list[_Team]:
    """Answers the teams of both halves."""
    chance = random.Random(_SEED)
    teams: list[_Team] = []
    for _ in range(_HALVES):
        parents = _half(TEAMS // _HALVES, chance)
        ids = [clock.new_id() for _ in parents]
        teams += [
            _Team(ids[number], None if parent is None else ids[parent])
            for number, parent in enumerate(parents)
        ]
    return teams


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


def _put_enterprise(admin: _Admin, enterprise_id: UUID) -> None:
    slug = f"bench-{enterprise_id.hex}"
    admin.execute("INSERT INTO wrtn_slugs (slug, tenant_id) VALUES (%s, %s)", (slug, enterprise_id))
    admin.execute(
        "INSERT INTO wrtn_enterprises"
        " (tenant_id, display_name, slug, time_zone, last_appointment, create_time)"
        " VALUES (%s, 'Bench', %s, 'UTC', %s, %s)",
        (enterprise_id, slug, EMPLOYEES, _NOW),
    )


def _put_teams(admin: _Admin, enterprise_id: UUID, teams: Sequence[_Team]) -> None:
    _copy(
        admin,
        "wrtn_teams (tenant_id, id, parent_team_id, display_name, create_time)",
        ((enterprise_id, each.id, each.parent_id, "Team", _NOW) for each in teams),
    )


def _put_people(admin: _Admin, enterprise_id: UUID, people: Sequence[Person], clock: Clock) -> None:
    """Employs them, the first one as the owner, and gives each a role in their team."""
    titles = chain([TITLE_OWNER], repeat(TITLE_MEMBER))
    _copy(
        admin,
        "wrtn_employees (tenant_id, id, member_id, account_id, title, sequence, create_time)",
        (
            (enterprise_id, each.employee_id, each.member_id, each.account_id, title, number, _NOW)
            for number, (each, title) in enumerate(zip(people, titles, strict=False), start=1)
        ),
    )
    _copy(
        admin,
        "wrtn_companions (tenant_id, id, team_id, employee_id, role, version, create_time)",
        (
            (enterprise_id, clock.new_id(), each.team_id, each.employee_id, role, 1, _NOW)
            for each, role in zip(people, cycle(_ROLES), strict=False)
        ),
    )


def _put_grants(admin: _Admin, enterprise_id: UUID, teams: Sequence[_Team], clock: Clock) -> None:
    _copy(
        admin,
        "wrtn_grants (tenant_id, id, team_id, resource, effect, layer, locked, create_time, update_time)",
        (
            (enterprise_id, clock.new_id(), each.id, *grant, GRANT_LAYER_ENTERPRISE, False, _NOW, _NOW)
            for each, grant in zip(teams, cycle(GRANTS), strict=False)
        ),
    )


def _copy(admin: _Admin, into: str, rows: Iterable[tuple[object, ...]]) -> None:
    with admin.cursor() as cursor, cursor.copy(f"COPY {into} FROM STDIN".encode()) as copy:
        for row in rows:
            copy.write_row(row)

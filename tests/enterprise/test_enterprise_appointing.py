"""Who may appoint whom: the whole table, written out by hand from the sentences in the protos."""

from __future__ import annotations

from itertools import product
from uuid import UUID

import pytest

from chassis.call import Access, TeamPlace
from services.enterprise.people.appointing import (
    Standing,
    may_appoint,
    may_give,
    may_hire,
    may_keep,
    may_retitle,
    standing_of,
)
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

TITLES = (TITLE_UNSPECIFIED, TITLE_MEMBER, TITLE_MANAGER, TITLE_OWNER)
ROLES = (ROLE_UNSPECIFIED, ROLE_MEMBER, ROLE_MANAGER, ROLE_CHIEF)

# Who hires: the titles that they may give.
HIRING: dict[int, set[int]] = {
    TITLE_UNSPECIFIED: set(),
    TITLE_MEMBER: set(),
    TITLE_MANAGER: {TITLE_MEMBER},
    TITLE_OWNER: {TITLE_MEMBER, TITLE_MANAGER, TITLE_OWNER},
}

NOTHING: set[int] = set()
MEMBERS: set[int] = {ROLE_MEMBER}
UP_TO_MANAGERS: set[int] = {ROLE_MEMBER, ROLE_MANAGER}
ALL: set[int] = {ROLE_MEMBER, ROLE_MANAGER, ROLE_CHIEF}

# For those without a title of the enterprise above member: (role in the team, greatest role above it) to
# the roles that they may give there.
GIVING: dict[tuple[int, int], set[int]] = {
    (ROLE_UNSPECIFIED, ROLE_UNSPECIFIED): NOTHING,
    (ROLE_UNSPECIFIED, ROLE_MEMBER): NOTHING,
    (ROLE_UNSPECIFIED, ROLE_MANAGER): MEMBERS,
    (ROLE_UNSPECIFIED, ROLE_CHIEF): ALL,
    (ROLE_MEMBER, ROLE_UNSPECIFIED): NOTHING,
    (ROLE_MEMBER, ROLE_MEMBER): NOTHING,
    (ROLE_MEMBER, ROLE_MANAGER): MEMBERS,
    (ROLE_MEMBER, ROLE_CHIEF): ALL,
    (ROLE_MANAGER, ROLE_UNSPECIFIED): MEMBERS,
    (ROLE_MANAGER, ROLE_MEMBER): MEMBERS,
    (ROLE_MANAGER, ROLE_MANAGER): MEMBERS,
    (ROLE_MANAGER, ROLE_CHIEF): ALL,
    (ROLE_CHIEF, ROLE_UNSPECIFIED): UP_TO_MANAGERS,
    (ROLE_CHIEF, ROLE_MEMBER): UP_TO_MANAGERS,
    (ROLE_CHIEF, ROLE_MANAGER): UP_TO_MANAGERS,
    (ROLE_CHIEF, ROLE_CHIEF): ALL,
}


def givable(standing: Standing) -> set[int]:
    if standing.title in (TITLE_MANAGER, TITLE_OWNER):
        return ALL
    return GIVING[(standing.role, standing.above)]


@pytest.mark.parametrize(("decider", "title"), list(product(TITLES, TITLES)))
def test_titles_are_given_as_the_table_of_hiring_says(decider: int, title: int) -> None:
    assert may_hire(decider, title) == (title in HIRING[decider])


# What the title of another may be changed to, by the decider's title and what it was before.
RETITLING: dict[int, dict[int, set[int]]] = {
    TITLE_UNSPECIFIED: {},
    TITLE_MEMBER: {},
    TITLE_MANAGER: {TITLE_MEMBER: {TITLE_UNSPECIFIED, TITLE_MEMBER}},
    TITLE_OWNER: {
        TITLE_MEMBER: {TITLE_UNSPECIFIED, TITLE_MEMBER, TITLE_MANAGER, TITLE_OWNER},
        TITLE_MANAGER: {TITLE_UNSPECIFIED, TITLE_MEMBER, TITLE_MANAGER, TITLE_OWNER},
        TITLE_OWNER: {TITLE_UNSPECIFIED, TITLE_MEMBER, TITLE_MANAGER, TITLE_OWNER},
    },
}


@pytest.mark.parametrize(("decider", "before"), list(product(TITLES, TITLES)))
def test_titles_are_changed_as_the_table_of_retitling_says(decider: int, before: int) -> None:
    allowed = {each for each in TITLES if may_retitle(decider, before, each, themself=False)}
    assert allowed == RETITLING[decider].get(before, set())


@pytest.mark.parametrize("title", TITLES)
def test_of_their_own_title_only_an_owner_gives_something_away(title: int) -> None:
    allowed = {each for each in TITLES if may_retitle(title, title, each, themself=True)}
    wanted = {TITLE_MEMBER, TITLE_MANAGER, TITLE_OWNER} if title == TITLE_OWNER else set()
    assert allowed == wanted


@pytest.mark.parametrize("before", TITLES)
def test_nobody_raises_themself_whatever_they_stand_in_for(before: int) -> None:
    for decider, after in product(TITLES, TITLES):
        if after > before:
            assert not may_retitle(decider, before, after, themself=True)


@pytest.mark.parametrize(("title", "role", "above"), list(product(TITLES, ROLES, ROLES)))
def test_teams_are_kept_by_titles_and_by_chiefs_above(title: int, role: int, above: int) -> None:
    wanted = title in (TITLE_MANAGER, TITLE_OWNER) or above == ROLE_CHIEF
    assert may_keep(Standing(title, role, above)) == wanted


@pytest.mark.parametrize(("title", "role", "above"), list(product(TITLES, ROLES, ROLES)))
def test_roles_are_given_as_the_table_of_giving_says(title: int, role: int, above: int) -> None:
    standing = Standing(title, role, above)
    assert {each for each in ROLES if may_give(standing, each)} == givable(standing)


@pytest.mark.parametrize(("title", "role", "above"), list(product(TITLES, ROLES, ROLES)))
def test_one_changes_only_a_role_that_one_could_give(title: int, role: int, above: int) -> None:
    standing = Standing(title, role, above)
    for before, after in product(ROLES, ROLES):
        changed = {before, after} - {ROLE_UNSPECIFIED}
        allowed = bool(changed) and changed <= givable(standing)
        assert may_appoint(standing, before, after, themself=False) == allowed, (before, after)


@pytest.mark.parametrize(("title", "role", "above"), list(product(TITLES, ROLES, ROLES)))
def test_nobody_raises_themself_but_owners_and_managers_whom_no_role_raises(
    title: int, role: int, above: int
) -> None:
    standing = Standing(title, role, above)
    for after in ROLES:
        if after > role:
            allowed = title in (TITLE_MANAGER, TITLE_OWNER)
            assert may_appoint(standing, role, after, themself=True) == allowed


def test_one_lowers_oneself_where_one_could_give_what_one_has() -> None:
    assert may_appoint(Standing(TITLE_MANAGER, ROLE_CHIEF), ROLE_CHIEF, ROLE_MEMBER, themself=True)
    assert not may_appoint(Standing(TITLE_MEMBER, ROLE_CHIEF), ROLE_CHIEF, ROLE_MEMBER, themself=True)


def test_the_standing_tells_the_role_in_the_team_from_those_above_and_ignores_all_others() -> None:
    top, middle, team, elsewhere = (UUID(int=number) for number in range(4))
    roles = {team: ROLE_MEMBER, top: ROLE_MANAGER, elsewhere: ROLE_CHIEF}
    place = TeamPlace(team, (middle, top), role=ROLE_MANAGER, companion=True)
    access = Access(UUID(int=9), UUID(int=8), UUID(int=7), TITLE_MEMBER, roles, place)
    assert standing_of(access) == Standing(TITLE_MEMBER, ROLE_MEMBER, ROLE_MANAGER)


def test_without_a_team_the_standing_is_the_title_alone() -> None:
    access = Access(UUID(int=9), UUID(int=8), UUID(int=7), TITLE_OWNER, {UUID(int=1): ROLE_CHIEF})
    assert standing_of(access) == Standing(TITLE_OWNER)

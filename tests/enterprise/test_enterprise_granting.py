"""Whether a thing may be used: the rules as a table, and against a model that is written another way."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.enterprise import granting
from services.enterprise.granting import Setting
from wrtn.enterprise.v1.grants_pb2 import (
    EFFECT_ALLOW,
    EFFECT_DENY,
    EFFECT_UNSPECIFIED,
    GRANT_LAYER_ENTERPRISE,
    GRANT_LAYER_TEAM,
    ExplanationStep,
)

TEAM, ABOVE, TOP, ELSEWHERE = (UUID(int=number) for number in range(1, 5))
LINE = (TEAM, ABOVE, TOP)
GPT = "model:openai/gpt-4.1"
A, D = EFFECT_ALLOW, EFFECT_DENY


def by_enterprise(team_id: UUID | None, effect: int, resource: str = GPT, *, locked: bool = False) -> Setting:
    """Answers what owners and managers set."""
    return Setting(team_id, resource, effect, GRANT_LAYER_ENTERPRISE, locked)


def by_team(team_id: UUID, resource: str = GPT) -> Setting:
    """Answers a team's own deny."""
    return Setting(team_id, resource, D, GRANT_LAYER_TEAM)


LOCK = by_enterprise(None, D, locked=True)


@pytest.mark.parametrize(
    ("settings", "line", "default", "allowed", "decided_by"),
    [
        pytest.param([], LINE, 0, True, "DEFAULT", id="nothing is set: allowed"),
        pytest.param([], LINE, D, False, "DEFAULT", id="nothing is set: the enterprise's default"),
        pytest.param([by_enterprise(None, A)], LINE, D, True, "GRANT", id="a grant goes before the default"),
        pytest.param([by_enterprise(None, D)], LINE, 0, False, "GRANT", id="the enterprise denies"),
        pytest.param(
            [by_enterprise(None, D), by_enterprise(TOP, A)], LINE, 0, True, "GRANT", id="the nearer allows"
        ),
        pytest.param(
            [by_enterprise(TEAM, D), by_enterprise(ABOVE, A)], LINE, 0, False, "GRANT", id="the nearer denies"
        ),
        pytest.param(
            [by_enterprise(ABOVE, A, "model:*"), by_enterprise(TOP, D)],
            LINE,
            0,
            True,
            "GRANT",
            id="a nearer place goes before a longer text",
        ),
        pytest.param(
            [by_enterprise(TEAM, A, "model:*"), by_enterprise(TEAM, D, "model:openai/*")],
            LINE,
            0,
            False,
            "GRANT",
            id="of one place the longer text decides",
        ),
        pytest.param(
            [by_enterprise(TEAM, A), by_enterprise(TEAM, D, "model:openai/*")],
            LINE,
            0,
            True,
            "GRANT",
            id="the very resource goes before every star",
        ),
        pytest.param(
            [by_enterprise(TEAM, D, "model:openai/gpt")], LINE, 0, True, "DEFAULT", id="no star, no beginning"
        ),
        pytest.param(
            [by_enterprise(TEAM, D, "procedure:*")], LINE, 0, True, "DEFAULT", id="another kind says nothing"
        ),
        pytest.param(
            [by_enterprise(ELSEWHERE, D), by_team(ELSEWHERE)], LINE, 0, True, "DEFAULT", id="another team"
        ),
        pytest.param(
            [by_team(TOP), by_enterprise(TEAM, A)], LINE, A, False, "TEAM_DENY", id="a team's own deny holds"
        ),
        pytest.param(
            [by_team(TOP, "model:*"), by_enterprise(TEAM, A)],
            LINE,
            A,
            False,
            "TEAM_DENY",
            id="a team's own deny holds with a star",
        ),
        pytest.param([by_team(TEAM)], (TOP,), 0, True, "DEFAULT", id="a deny below says nothing above"),
        pytest.param(
            [LOCK, by_enterprise(TEAM, A)], LINE, A, False, "LOCKED_DENY", id="a locked deny always wins"
        ),
        pytest.param(
            [by_enterprise(None, D, "model:*", locked=True), by_enterprise(None, A)],
            (),
            A,
            False,
            "LOCKED_DENY",
            id="a locked deny with a star wins over the very resource",
        ),
        pytest.param(
            [by_enterprise(TEAM, D), by_team(TEAM)],
            (),
            0,
            True,
            "DEFAULT",
            id="on no team, no team",
        ),
        pytest.param([by_enterprise(None, D)], (), A, False, "GRANT", id="on no team, the enterprise"),
    ],
)
def test_the_order_in_which_grants_decide(
    settings: list[Setting], line: tuple[UUID, ...], default: int, allowed: bool, decided_by: str
) -> None:
    decision = granting.decide(GPT, line, settings, default)
    assert decision.allowed is allowed
    assert ExplanationStep.Kind.Name(decision.last.kind) == f"KIND_{decided_by}"  # type: ignore[arg-type]
    assert [step.decisive for step in decision.steps].count(True) == 1


def test_a_resource_has_a_name_at_every_slash_and_at_its_colon() -> None:
    assert granting.names_of("model:a/b/c") == ("model:a/b/c", "model:a/b/*", "model:a/*", "model:*")
    assert granting.names_of("procedure:7") == ("procedure:7", "procedure:*")


NAMES = ["model:*", "model:a/*", "model:a/b", "model:a/c", "model:d/*", "other:*", "other:x"]
SETTINGS = st.lists(
    st.one_of(
        st.builds(
            Setting,
            st.sampled_from([TEAM, ABOVE, TOP, ELSEWHERE, None]),
            st.sampled_from(NAMES),
            st.sampled_from([A, D]),
            st.just(GRANT_LAYER_ENTERPRISE),
        ),
        st.builds(by_team, st.sampled_from([TEAM, ABOVE, TOP, ELSEWHERE]), st.sampled_from(NAMES)),
        st.builds(lambda name: by_enterprise(None, D, name, locked=True), st.sampled_from(NAMES)),
    ),
    max_size=12,
    unique_by=lambda each: (each.team_id, each.resource, each.layer),
)


def naive(resource: str, line: Sequence[UUID], settings: Sequence[Setting], default: int) -> bool:
    """The rules once more, by matching texts and sorting what matches."""
    hits = [
        each
        for each in settings
        if each.resource == resource
        or (each.resource.endswith("*") and resource.startswith(each.resource[:-1]))
    ]
    if any(each.locked for each in hits):
        return False
    if any(each.layer == GRANT_LAYER_TEAM and each.team_id in line for each in hits):
        return False
    places: list[UUID | None] = [*line, None]
    ranked = sorted(
        (places.index(each.team_id), each.resource.endswith("*"), -len(each.resource), each.effect)
        for each in hits
        if each.layer == GRANT_LAYER_ENTERPRISE and each.team_id in places
    )
    effect = ranked[0][3] if ranked else default
    return effect != D


@given(
    st.sampled_from(["model:a/b", "model:a/c", "model:d/e", "other:x", "third:y"]),
    st.sampled_from([(), (TOP,), (ABOVE, TOP), LINE]),
    SETTINGS,
    st.sampled_from([EFFECT_UNSPECIFIED, A, D]),
)
def test_the_rules_agree_with_a_naive_model(
    resource: str, line: tuple[UUID, ...], settings: list[Setting], default: int
) -> None:
    decision = granting.decide(resource, line, settings, default)
    assert decision.allowed is naive(resource, line, settings, default)
    assert decision.last.decisive

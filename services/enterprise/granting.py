"""Whether a thing may be used: pure rules over grants, in the order that grants.proto gives."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from wrtn.enterprise.v1.grants_pb2 import (
    EFFECT_ALLOW,
    EFFECT_DENY,
    EFFECT_UNSPECIFIED,
    GRANT_LAYER_ENTERPRISE,
    GRANT_LAYER_TEAM,
    ExplanationStep,
)

_STAR = "*"
_ENDS = (":", "/")
"""After these alone a star may stand."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What is set for a resource at one place. The numbers are those of Effect and GrantLayer."""

    team_id: UUID | None
    """None for the whole enterprise."""
    resource: str
    effect: int
    layer: int
    locked: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was looked at. The kinds are those of ExplanationStep."""

    kind: int
    team_id: UUID | None = None
    resource: str = ""
    effect: int = EFFECT_UNSPECIFIED
    decisive: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether the resource may be used, and what was looked at; the last step decided."""

    allowed: bool
    steps: tuple[Step, ...]

    @property
    def last(self) -> Step:
        """The step that decided."""
        return self.steps[-1]


def kind_of(resource: str) -> str:
    """Answers the kind: what stands before the colon."""
    return resource.partition(":")[0]


def names_of(resource: str) -> tuple[str, ...]:
    """Answers every text by which a grant can name the resource, the longest first: itself, then with a star.

    They are few, so grants are found by equality: "model:openai/gpt-4.1" also as "model:openai/*", "model:*".
    """
    cuts = (place + 1 for place in range(len(resource) - 1, -1, -1) if resource[place] in _ENDS)
    return (resource, *(resource[:cut] + _STAR for cut in cuts))


def decide(resource: str, line: Sequence[UUID], settings: Iterable[Setting], default: int) -> Decision:
    """Decides whether the resource may be used on the team that the line begins with; on none if it is empty.

    `line` is the team and those above it, the nearest first. `settings` may be more than matter here.
    `default` is the enterprise's for the kind; unspecified means allow.
    """
    names = names_of(resource)
    found = {(each.team_id, each.layer, each.resource): each for each in settings if each.resource in names}
    steps: list[Step] = []
    places = (*line, None)

    def nearest(kind: int, team_id: UUID | None, layer: int) -> Setting | None:
        """Looks at one place, and notes what is there: the longest name that is set."""
        for name in names:
            setting = found.get((team_id, layer, name))
            if setting is not None and (kind != ExplanationStep.KIND_LOCKED_DENY or setting.locked):
                steps.append(Step(kind, team_id, name, setting.effect, decisive=True))
                return setting
        steps.append(Step(kind, team_id))
        return None

    if nearest(ExplanationStep.KIND_LOCKED_DENY, None, GRANT_LAYER_ENTERPRISE):
        return Decision(allowed=False, steps=tuple(steps))
    for team_id in line:
        if nearest(ExplanationStep.KIND_TEAM_DENY, team_id, GRANT_LAYER_TEAM):
            return Decision(allowed=False, steps=tuple(steps))
    for place in places:
        if setting := nearest(ExplanationStep.KIND_GRANT, place, GRANT_LAYER_ENTERPRISE):
            return Decision(setting.effect == EFFECT_ALLOW, tuple(steps))
    effect = default or EFFECT_ALLOW
    steps.append(Step(ExplanationStep.KIND_DEFAULT, effect=effect, decisive=True))
    return Decision(effect != EFFECT_DENY, tuple(steps))

"""Why a person may or may not use a thing: the steps of the decision, each with a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast
from uuid import UUID

from chassis.call import Access
from services.enterprise.granting import Decision, Step
from services.enterprise.people import appointing
from wrtn.access.v1.access_pb2 import ROLE_MANAGER, TITLE_MANAGER, TITLE_MEMBER, TITLE_OWNER
from wrtn.enterprise.v1.grants_pb2 import EFFECT_ALLOW, EFFECT_DENY, Effect, ExplanationStep

_TITLES: dict[int, str] = {TITLE_MEMBER: "a member", TITLE_MANAGER: "a manager", TITLE_OWNER: "an owner"}


def may_ask(asker: Access, person: Access, lines: Mapping[UUID, tuple[UUID, ...]]) -> bool:
    """Whether the asker may be told of the person; `lines` are those of the teams that the person is in."""
    if asker.employee_id == person.employee_id or asker.title >= TITLE_MANAGER:
        return True
    return any(appointing.greatest_role(asker, line) >= ROLE_MANAGER for line in lines.values())


def explained(person: Access, decision: Decision, resource: str) -> tuple[bool, list[ExplanationStep]]:
    """Answers whether the person may use the resource, and why.

    On a team they must be a companion of that very team, whatever is granted to it.
    """
    steps = [
        ExplanationStep(
            kind=ExplanationStep.KIND_EMPLOYMENT,
            effect=EFFECT_ALLOW,
            sentence=f"The person works in the enterprise, as {_TITLES[person.title]}.",
        )
    ]
    if person.team is not None:
        steps.append(_companion(person.team.team_id, companion=person.team.companion))
        if not person.team.companion:
            return False, steps
    return decision.allowed, steps + [_said(step, resource) for step in decision.steps]


def _companion(team_id: UUID, *, companion: bool) -> ExplanationStep:
    sentence = (
        f"The person is a companion of the team {team_id}."
        if companion
        else f"The person is no companion of the team {team_id}, and only companions work on its budget."
    )
    effect = EFFECT_ALLOW if companion else EFFECT_DENY
    return ExplanationStep(
        kind=ExplanationStep.KIND_COMPANION,
        team_id=str(team_id),
        effect=effect,
        decisive=not companion,
        sentence=sentence,
    )


def _said(step: Step, resource: str) -> ExplanationStep:
    return ExplanationStep(
        kind=cast("ExplanationStep.Kind.ValueType", step.kind),
        team_id=str(step.team_id) if step.team_id is not None else "",
        resource=step.resource,
        effect=cast("Effect.ValueType", step.effect),
        decisive=step.decisive,
        sentence=_sentence(step, resource),
    )


def _sentence(step: Step, resource: str) -> str:
    place = f"the team {step.team_id}" if step.team_id is not None else "the enterprise"
    verb = "allow" if step.effect == EFFECT_ALLOW else "deny"
    match step.kind, step.decisive:
        case ExplanationStep.KIND_LOCKED_DENY, False:
            return "The enterprise denies nothing here by a lock."
        case ExplanationStep.KIND_LOCKED_DENY, True:
            return f"The enterprise denies {step.resource} by a lock, which always wins."
        case ExplanationStep.KIND_TEAM_DENY, False:
            return f"The chiefs and managers of {place} deny nothing here."
        case ExplanationStep.KIND_TEAM_DENY, True:
            return f"The chiefs and managers of {place} deny {step.resource}, for it and all teams below."
        case ExplanationStep.KIND_GRANT, False:
            return f"Owners and managers set nothing for {resource} in {place}."
        case ExplanationStep.KIND_GRANT, True:
            return f"Owners and managers {verb} {step.resource} in {place}, the nearest that says anything."
        case _:
            return f"Nothing is set for {resource}, so the enterprise's default for its kind holds: {verb}."

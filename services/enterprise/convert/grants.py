"""Grants, requests for them, and the visibility of content, as messages. Pure."""

from __future__ import annotations

from typing import cast
from uuid import UUID

from chassis import timestamps
from services.enterprise import models
from services.enterprise.convert import fields
from wrtn.enterprise.v1.grant_requests_pb2 import GrantRequest
from wrtn.enterprise.v1.grants_pb2 import Effect, Grant, GrantChange, GrantDefault, GrantLayer
from wrtn.enterprise.v1.visibility_pb2 import Visibility


def grant(row: models.Grant) -> Grant:
    """Answers the grant."""
    return Grant(
        id=str(row.id),
        enterprise_id=str(row.tenant_id),
        team_id=fields.id_text(row.team_id),
        resource=row.resource,
        effect=_effect(row.effect),
        locked=row.locked,
        layer=_layer(row.layer),
        create_time=timestamps.of(row.create_time),
        update_time=timestamps.of(row.update_time),
    )


def grant_default(row: models.GrantDefault) -> GrantDefault:
    """Answers the default."""
    return GrantDefault(kind=row.kind, effect=_effect(row.effect), update_time=timestamps.of(row.update_time))


def grant_change(row: models.GrantChange, reason: str) -> GrantChange:
    """Answers the record with its reason, decrypted."""
    return GrantChange(
        id=str(row.id),
        sequence=row.sequence,
        team_id=fields.id_text(row.team_id),
        resource=row.resource,
        layer=_layer(row.layer),
        effect_before=_effect(row.effect_before),
        effect_after=_effect(row.effect_after),
        locked_before=row.locked_before,
        locked_after=row.locked_after,
        decider_employee_id=str(row.decider_employee_id),
        grant_request_id=fields.id_text(row.grant_request_id),
        reason=reason,
        create_time=timestamps.of(row.create_time),
    )


def grant_request(row: models.GrantRequest, reason: str, decision_reason: str) -> GrantRequest:
    """Answers the request with its reasons, decrypted."""
    return GrantRequest(
        id=str(row.id),
        enterprise_id=str(row.tenant_id),
        employee_id=str(row.employee_id),
        team_id=fields.id_text(row.team_id),
        resource=row.resource,
        reason=reason,
        state=cast("GrantRequest.State.ValueType", row.state),
        decider_employee_id=fields.id_text(row.decider_employee_id),
        decision_reason=decision_reason,
        create_time=timestamps.of(row.create_time),
        decide_time=fields.moment(row.decide_time),
    )


def visibility(enterprise_id: UUID, row: models.Visibility | None) -> Visibility:
    """Answers the visibility; what nobody set is off."""
    if row is None:
        return Visibility(enterprise_id=str(enterprise_id))
    return Visibility(
        enterprise_id=str(row.tenant_id),
        content_readable=row.content_readable,
        update_time=timestamps.of(row.update_time),
    )


def _effect(number: int) -> Effect.ValueType:
    return cast("Effect.ValueType", number)


def _layer(number: int) -> GrantLayer.ValueType:
    return cast("GrantLayer.ValueType", number)

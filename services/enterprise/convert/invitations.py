"""Invitations, as messages. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import cast

from chassis import timestamps
from services.enterprise import models
from services.enterprise.convert import fields
from services.enterprise.models import InvitationState
from wrtn.access.v1.access_pb2 import Role
from wrtn.enterprise.v1 import invitations_pb2 as pb


def invitation(
    row: models.Invitation, enterprise: models.Enterprise | None, address: str, now: datetime
) -> pb.Invitation:
    """Answers the invitation as it stands now, with its address and the name of its enterprise."""
    over = row.state == InvitationState.OPEN and row.expire_time <= now
    state = InvitationState.EXPIRED if over else row.state
    return pb.Invitation(
        id=str(row.id),
        enterprise_id=str(row.tenant_id),
        enterprise_display_name=enterprise.display_name if enterprise is not None else "",
        email=address,
        title=fields.title(row.title),
        places=[
            pb.InvitedPlace(team_id=str(each["team_id"]), role=cast("Role.ValueType", each["role"]))
            for each in row.places
        ],
        state=pb.Invitation.State.Value(f"STATE_{state}"),
        inviter_employee_id=str(row.inviter_employee_id),
        employee_id=fields.id_text(row.employee_id),
        mail_count=row.mails,
        expire_time=timestamps.of(row.expire_time),
        create_time=timestamps.of(row.create_time),
        end_time=fields.moment(row.end_time),
    )

"""Staff and break-glass, as messages. Pure."""

from __future__ import annotations

from typing import cast

from services.identity import models
from services.identity.convert.times import timestamp
from services.identity.staff.break_glass import Use
from wrtn.access.v1.access_pb2 import StaffRight
from wrtn.identity.v1 import (
    break_glass_pb2,
    staff_pb2,
)


def staff(row: models.Staff) -> staff_pb2.Staff:
    """Answers a member of staff."""
    return staff_pb2.Staff(
        member_id=str(row.member_id),
        staff_right=cast("StaffRight.ValueType", row.staff_right),
        appoint_time=timestamp(row.appoint_time),
    )


def staff_appointment(row: models.StaffAppointment, reason: str) -> staff_pb2.StaffAppointment:
    """Answers a record of an appointment."""
    return staff_pb2.StaffAppointment(
        member_id=str(row.member_id),
        right_before=cast("StaffRight.ValueType", row.right_before),
        right_after=cast("StaffRight.ValueType", row.right_after),
        decider_member_id=str(row.decider_member_id or ""),
        reason=reason,
        create_time=timestamp(row.create_time),
    )


def break_glass(use: Use) -> break_glass_pb2.BreakGlass:
    """Answers a use of break-glass."""
    row = use.row
    return break_glass_pb2.BreakGlass(
        id=str(row.id),
        tenant_id=str(row.tenant_id),
        member_id=str(row.member_id),
        reason=use.reason,
        create_time=timestamp(row.create_time),
        expire_time=timestamp(row.expire_time),
        close_time=timestamp(row.close_time),
    )

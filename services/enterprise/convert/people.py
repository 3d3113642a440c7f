"""Employees, their appointments, deputyships and handovers, as messages. Pure."""

from __future__ import annotations

from typing import cast

from chassis import timestamps
from services.enterprise import models
from services.enterprise.convert import fields
from wrtn.enterprise.v1.deputies_pb2 import Deputy
from wrtn.enterprise.v1.employees_pb2 import (
    EMPLOYEE_STATE_ACTIVE,
    EMPLOYEE_STATE_DISMISSED,
    Appointment,
    Employee,
    Handover,
    HandoverState,
)


def employee(row: models.Employee) -> Employee:
    """Answers the employee."""
    return Employee(
        id=str(row.id),
        enterprise_id=str(row.tenant_id),
        member_id=str(row.member_id),
        account_id=str(row.account_id),
        title=fields.title(row.title),
        create_time=timestamps.of(row.create_time),
        duties=fields.duties(row.duties),
        state=EMPLOYEE_STATE_ACTIVE if row.title else EMPLOYEE_STATE_DISMISSED,
        dismiss_time=fields.moment(row.dismiss_time),
    )


def appointment(row: models.Appointment, reason: str) -> Appointment:
    """Answers the record with its reason, decrypted."""
    return Appointment(
        id=str(row.id),
        sequence=row.sequence,
        employee_id=str(row.employee_id),
        team_id=fields.id_text(row.team_id),
        title_before=fields.title(row.title_before),
        title_after=fields.title(row.title_after),
        role_before=fields.role(row.role_before),
        role_after=fields.role(row.role_after),
        decider_employee_id=fields.id_text(row.decider_employee_id),
        decider_credential_id=fields.id_text(row.decider_credential_id),
        reason=reason,
        create_time=timestamps.of(row.create_time),
        duties_before=fields.duties(row.duties_before),
        duties_after=fields.duties(row.duties_after),
        absent_employee_id=fields.id_text(row.absent_employee_id),
        until_time=fields.moment(row.until_time),
        successor_employee_id=fields.id_text(row.successor_employee_id),
    )


def deputy(row: models.Deputy) -> Deputy:
    """Answers the deputyship."""
    return Deputy(
        id=str(row.id),
        enterprise_id=str(row.tenant_id),
        employee_id=str(row.employee_id),
        absent_employee_id=str(row.absent_employee_id),
        team_id=fields.id_text(row.team_id),
        title=fields.title(row.title),
        role=fields.role(row.role),
        create_time=timestamps.of(row.create_time),
        end_time=timestamps.of(row.end_time),
    )


def handover(row: models.Handover) -> Handover:
    """Answers the handover."""
    return Handover(
        id=str(row.id),
        employee_id=str(row.employee_id),
        account_id=str(row.account_id),
        successor_employee_id=str(row.successor_employee_id),
        state=cast("HandoverState.ValueType", row.state),
        create_time=timestamps.of(row.create_time),
        update_time=timestamps.of(row.update_time),
    )

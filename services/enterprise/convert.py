"""From rows to protos."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import cast
from uuid import UUID

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from chassis import call, timestamps
from services.enterprise import models, proofs
from services.enterprise.store.history import Change, RightThen, RoleThen, TeamThen
from wrtn.access.v1.access_pb2 import Duty, Role, Title
from wrtn.enterprise.v1.access_pb2 import Access, TeamPlace, TeamRole
from wrtn.enterprise.v1.deputies_pb2 import Deputy
from wrtn.enterprise.v1.domains_pb2 import Domain
from wrtn.enterprise.v1.employees_pb2 import (
    EMPLOYEE_STATE_ACTIVE,
    EMPLOYEE_STATE_DISMISSED,
    Appointment,
    Employee,
    Handover,
    HandoverState,
)
from wrtn.enterprise.v1.enterprises_pb2 import Enterprise, EnterpriseSettings, EnterpriseState
from wrtn.enterprise.v1.history_pb2 import CompanionAt, DeputyAt, TeamAt, TeamChange
from wrtn.enterprise.v1.teams_pb2 import TEAM_STATE_ACTIVE, TEAM_STATE_ARCHIVED, Companion, Team


def enterprise(row: models.Enterprise) -> Enterprise:
    """Answers the enterprise."""
    return Enterprise(
        id=str(row.tenant_id),
        display_name=row.display_name,
        slug=row.slug,
        time_zone=row.time_zone,
        create_time=timestamps.of(row.create_time),
        locale=row.locale,
        currency=row.currency,
        state=cast("EnterpriseState.ValueType", row.state),
        settings=EnterpriseSettings.FromString(row.settings),
        logo_etag=row.logo_etag,
        etag=str(row.version),
        close_time=_moment(row.close_time),
    )


def domain(row: models.Domain) -> Domain:
    """Answers the domain, with where its proof is looked for."""
    proof = Domain.Proof.Value(f"PROOF_{row.proof}") if row.proof else Domain.PROOF_UNSPECIFIED
    return Domain(
        id=str(row.id),
        enterprise_id=str(row.tenant_id),
        domain=row.domain,
        state=Domain.State.Value(f"STATE_{row.state}"),
        proof=proof,
        record_name=proofs.record_name(row.domain),
        record_text=proofs.record_text(row.token),
        verify_time=_moment(row.verify_time),
        check_time=_moment(row.check_time),
        missing_time=_moment(row.missing_time),
        create_time=timestamps.of(row.create_time),
    )


def employee(row: models.Employee) -> Employee:
    """Answers the employee."""
    return Employee(
        id=str(row.id),
        enterprise_id=str(row.tenant_id),
        member_id=str(row.member_id),
        account_id=str(row.account_id),
        title=_title(row.title),
        create_time=timestamps.of(row.create_time),
        duties=duties(row.duties),
        state=EMPLOYEE_STATE_ACTIVE if row.title else EMPLOYEE_STATE_DISMISSED,
        dismiss_time=_moment(row.dismiss_time),
    )


def team(row: models.Team, ancestor_ids: Sequence[UUID]) -> Team:
    """Answers the team with the teams above it, the nearest first."""
    return Team(
        id=str(row.id),
        enterprise_id=str(row.tenant_id),
        parent_team_id=_id(row.parent_team_id),
        display_name=row.display_name,
        ancestor_ids=[str(each) for each in ancestor_ids],
        create_time=timestamps.of(row.create_time),
        state=TEAM_STATE_ACTIVE if row.archive_time is None else TEAM_STATE_ARCHIVED,
        archive_time=_moment(row.archive_time),
        etag=str(row.version),
    )


def companion(row: models.Companion) -> Companion:
    """Answers the companion."""
    return Companion(
        id=str(row.id),
        team_id=str(row.team_id),
        employee_id=str(row.employee_id),
        role=_role(row.role),
        create_time=timestamps.of(row.create_time),
    )


def appointment(row: models.Appointment, reason: str) -> Appointment:
    """Answers the record with its reason, decrypted."""
    return Appointment(
        id=str(row.id),
        sequence=row.sequence,
        employee_id=str(row.employee_id),
        team_id=_id(row.team_id),
        title_before=_title(row.title_before),
        title_after=_title(row.title_after),
        role_before=_role(row.role_before),
        role_after=_role(row.role_after),
        decider_employee_id=_id(row.decider_employee_id),
        decider_credential_id=_id(row.decider_credential_id),
        reason=reason,
        create_time=timestamps.of(row.create_time),
        duties_before=duties(row.duties_before),
        duties_after=duties(row.duties_after),
        absent_employee_id=_id(row.absent_employee_id),
        until_time=_moment(row.until_time),
        successor_employee_id=_id(row.successor_employee_id),
    )


def deputy(row: models.Deputy) -> Deputy:
    """Answers the deputyship."""
    return Deputy(
        id=str(row.id),
        enterprise_id=str(row.tenant_id),
        employee_id=str(row.employee_id),
        absent_employee_id=str(row.absent_employee_id),
        team_id=_id(row.team_id),
        title=_title(row.title),
        role=_role(row.role),
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


def team_at(row: TeamThen, chief_ids: Sequence[UUID]) -> TeamAt:
    """Answers the team as it was, with its chiefs."""
    return TeamAt(
        team_id=str(row.team_id),
        parent_team_id=_id(row.parent_team_id),
        display_name=row.display_name,
        chief_employee_ids=[str(each) for each in chief_ids],
    )


def companion_at(row: RoleThen) -> CompanionAt:
    """Answers what the employee was in the team."""
    return CompanionAt(
        employee_id=str(row.employee_id),
        role=_role(row.role),
        absent_employee_id=_id(row.absent_id),
        until_time=_moment(row.until),
    )


def role_at(row: RightThen) -> TeamRole:
    """Answers the role that was the employee's own."""
    return TeamRole(team_id=_id(row.team_id), role=_role(row.role))


def deputy_at(row: RightThen) -> DeputyAt:
    """Answers for whom the employee stood in."""
    return DeputyAt(
        absent_employee_id=_id(row.absent_id),
        team_id=_id(row.team_id),
        title=_title(row.title),
        role=_role(row.role),
        until_time=_moment(row.until),
    )


def team_change(row: Change) -> TeamChange:
    """Answers the record, with what was before."""
    return TeamChange(
        sequence=row.sequence,
        team_id=str(row.team_id),
        kind=cast("TeamChange.Kind.ValueType", row.kind),
        parent_team_id=_id(row.parent_team_id),
        old_parent_team_id=_id(row.old_parent_team_id),
        display_name=row.display_name,
        old_display_name=row.old_display_name or "",
        decider_employee_id=_id(row.decider_employee_id),
        decider_credential_id=_id(row.decider_credential_id),
        create_time=timestamps.of(row.create_time),
    )


def access(found: call.Access | None) -> Access:
    """Answers who an account is; the empty message if it is nobody's."""
    if found is None:
        return Access()
    return Access(
        employee_id=str(found.employee_id),
        member_id=str(found.member_id),
        title=_title(found.title),
        teams=[TeamRole(team_id=str(team_id), role=_role(held)) for team_id, held in found.roles.items()],
        team=_place(found.team) if found.team is not None else None,
        duties=duties(sorted(found.duties)),
        granted=found.granted,
        content_readable=found.content_readable,
        good_for=_seconds(found.good_for),
    )


def _place(found: call.TeamPlace) -> TeamPlace:
    return TeamPlace(
        team_id=str(found.team_id),
        ancestor_ids=[str(each) for each in found.ancestor_ids],
        role=_role(found.role),
        companion=found.companion,
    )


def _id(value: UUID | None) -> str:
    return str(value) if value else ""


def _title(number: int) -> Title.ValueType:
    return cast("Title.ValueType", number)


def _role(number: int) -> Role.ValueType:
    return cast("Role.ValueType", number)


def duties(numbers: Sequence[int]) -> list[Duty.ValueType]:
    """Answers the duties."""
    return [cast("Duty.ValueType", number) for number in numbers]


def _moment(moment: datetime | None) -> Timestamp | None:
    """Answers the moment; None leaves the field unset."""
    return timestamps.of(moment) if moment is not None else None


def _seconds(value: float | None) -> Duration | None:
    if value is None:
        return None
    duration = Duration()
    duration.FromNanoseconds(int(value * 1e9))
    return duration

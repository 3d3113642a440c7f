"""Enterprises and their domains, as messages. Pure."""

from __future__ import annotations

from typing import cast

from chassis import timestamps
from services.enterprise import models, txt_records
from services.enterprise.convert import fields
from wrtn.enterprise.v1.domains_pb2 import Domain
from wrtn.enterprise.v1.enterprises_pb2 import (
    Enterprise,
    EnterpriseSettings,
    EnterpriseState,
    EnterpriseStateChange,
    SuspensionCause,
)


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
        close_time=fields.moment(row.close_time),
    )


def state_change(row: models.EnterpriseStateChange, reason: str, *, whole: bool) -> EnterpriseStateChange:
    """Answers the entry; unless it is shown whole, without what was written and by whom."""
    return EnterpriseStateChange(
        id=str(row.id),
        state_before=cast("EnterpriseState.ValueType", row.state_before),
        state_after=cast("EnterpriseState.ValueType", row.state_after),
        cause=cast("SuspensionCause.ValueType", row.cause),
        reason=reason if whole else "",
        decider_member_id=str(row.decider_member_id or "") if whole else "",
        create_time=timestamps.of(row.create_time),
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
        record_name=txt_records.name(row.domain),
        record_text=txt_records.text(row.token),
        verify_time=fields.moment(row.verify_time),
        check_time=fields.moment(row.check_time),
        missing_time=fields.moment(row.missing_time),
        create_time=timestamps.of(row.create_time),
    )

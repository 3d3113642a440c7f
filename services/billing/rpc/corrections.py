"""wrtn.billing.v1 CorrectionService."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any
from uuid import UUID

import grpc

from chassis import timestamps
from chassis.audit.acts import PLATFORM
from chassis.call import current
from chassis.database import Scope
from chassis.decimals import text
from chassis.idempotency import once
from chassis.operations import Operations
from chassis.paging import Page
from chassis.service import Runtime
from chassis.settings import ServiceSettings
from services.billing import convert, models
from services.billing.pricing import corrections, price_convert
from services.billing.store.corrections import NO_TEAM, Corrections
from services.billing.store.prices import read_rates
from wrtn.billing.v1 import corrections_pb2 as pb
from wrtn.billing.v1.corrections_pb2_grpc import CorrectionServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]
_PLATFORM = Scope.of(PLATFORM)
_READ = "correction.read"


class CorrectionRpc(CorrectionServiceServicer):
    """Corrects what was rated."""

    def __init__(self, runtime: Runtime[ServiceSettings], operations: Operations) -> None:
        self._db = runtime.db
        self._operations = operations

    async def CreateCorrection(self, request: pb.CreateCorrectionRequest, context: Context) -> pb.Correction:
        """Proposes, and begins the dry run."""
        span = convert.moment(request, "start_time"), convert.moment(request, "end_time")
        price_id, rates = UUID(request.price_id), price_convert.all_rates(request.rates)
        member_id = _member()
        return await once(
            self._db,
            _PLATFORM,
            request,
            lambda tx: _built(
                corrections.propose(tx, self._operations, member_id, price_id, rates, span, request.reason)
            ),
        )

    async def RateUnpricedUsages(
        self, request: pb.RateUnpricedUsagesRequest, context: Context
    ) -> pb.Correction:
        """Begins to rate what has no price."""
        member_id = _member()
        return await once(
            self._db,
            _PLATFORM,
            request,
            lambda tx: _built(corrections.rate_unpriced(tx, self._operations, member_id)),
        )

    async def GetCorrection(self, request: pb.GetCorrectionRequest, context: Context) -> pb.Correction:
        """Gets the correction as it stands now."""
        correction_id = UUID(request.correction_id)
        async with self._db.transaction(_PLATFORM) as tx:
            row = await corrections.found(tx, correction_id)
            tx.audit(_READ, tenant_id=PLATFORM, target_id=correction_id)
            return _correction(row)

    async def ListCorrectionDifferences(
        self, request: pb.ListCorrectionDifferencesRequest, context: Context
    ) -> pb.ListCorrectionDifferencesResponse:
        """Lists what the dry run found."""
        page, correction_id = Page.of(request), UUID(request.correction_id)
        after = page.after(lambda tenant, team: (UUID(tenant), UUID(team)))
        async with self._db.transaction(_PLATFORM) as tx:
            rows = await Corrections(tx).differences(correction_id, after, page.size + 1)
            tx.audit(_READ, tenant_id=PLATFORM, target_id=correction_id)
        found, token = page.cut(rows, key=lambda row: (str(row.tenant_id), str(row.team_id)))
        return pb.ListCorrectionDifferencesResponse(
            differences=map(_difference, found), next_page_token=token
        )

    async def ApproveCorrection(
        self, request: pb.ApproveCorrectionRequest, context: Context
    ) -> pb.Correction:
        """Approves, and begins to apply."""
        member_id, correction_id = _member(), UUID(request.correction_id)
        return await once(
            self._db,
            _PLATFORM,
            request,
            lambda tx: _built(corrections.approve(tx, self._operations, member_id, correction_id)),
        )

    async def RejectCorrection(self, request: pb.RejectCorrectionRequest, context: Context) -> pb.Correction:
        """Rejects, or takes back."""
        member_id, correction_id = _member(), UUID(request.correction_id)
        return await once(
            self._db,
            _PLATFORM,
            request,
            lambda tx: _built(corrections.reject(tx, member_id, correction_id)),
        )


def _member() -> UUID:
    """The administrator who calls: the access rule admits none but members."""
    member_id = current().caller.member_id
    assert member_id is not None  # noqa: S101 - for the type checker
    return member_id


async def _built(row: Awaitable[models.Correction]) -> pb.Correction:
    return _correction(await row)


def _correction(row: models.Correction) -> pb.Correction:
    return pb.Correction(
        id=str(row.id),
        state=row.state,  # type: ignore[arg-type]
        price_id=str(row.price_id or ""),
        rates=price_convert.rates(read_rates(row.rates)) if row.rates is not None else None,
        start_time=timestamps.of(row.start_time),
        end_time=timestamps.of(row.end_time),
        operation_id=str(row.operation_id),
        proposer_member_id=str(row.proposer_member_id),
        decider_member_id=str(row.decider_member_id or ""),
        create_time=timestamps.of(row.create_time),
    )


def _difference(row: models.CorrectionDifference) -> pb.CorrectionDifference:
    return pb.CorrectionDifference(
        tenant_id=str(row.tenant_id),
        team_id=str(row.team_id) if row.team_id != NO_TEAM else "",
        usage_count=row.usage_count,
        cost=text(row.cost),
        charge=text(row.charge),
        currency=row.currency,
    )

"""Looking daily whether the proofs of domains are still there. A leased job's."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import grpc
import structlog

from chassis.database import Database, Scope, Snapshot
from chassis.errors import DomainError
from services.enterprise.domains import domains
from services.enterprise.domains.proofs import Proofs
from services.enterprise.models import Domain, DomainProof, DomainState, ProvenDomain
from services.enterprise.store import Domains, ProvenDomains, Rights
from wrtn.access.v1.access_pb2 import TITLE_OWNER

RUN_EVERY = timedelta(minutes=15)
_AGAIN = timedelta(hours=1)
"""When to look again at a domain of which nobody could say whether the proof is there."""
_BATCH = 200

_log = structlog.get_logger("services.enterprise.domains.rechecks")


class Rechecks:
    """Looks at the domains that are due."""

    def __init__(self, db: Database, proofs: Proofs) -> None:
        self._db = db
        self._proofs = proofs

    async def run(self) -> None:
        """Looks at all that are due, one after the other; each has its own transaction afterwards."""
        while True:
            async with self._db.snapshot(Scope()) as tx:
                due = await ProvenDomains(tx).due(tx.now, _BATCH)
            for entry in due:
                await self._look(entry)
            if len(due) < _BATCH:
                return

    async def _look(self, entry: ProvenDomain) -> None:
        async with self._db.snapshot(Scope.of(entry.tenant_id)) as tx:
            row = await Domains(tx, entry.tenant_id).get(entry.domain_id)
            member_id = await _prover(tx, row) if row is not None else None
        there = await self._is_there(row, member_id) if row is not None else None
        async with self._db.transaction(Scope.of(entry.tenant_id)) as tx:
            row = await Domains(tx, entry.tenant_id).get(entry.domain_id, lock=True)
            if row is None or row.state != DomainState.VERIFIED:
                return
            standing = await ProvenDomains(tx).locked(row.domain)
            if standing is not None and standing.tenant_id == row.tenant_id:
                standing.next_check_time = tx.now + (domains.CHECK_EVERY if there is not None else _AGAIN)
            if there is None:
                return
            row.check_time = tx.now
            if there:
                domains.found(row)
            else:
                await domains.missed(tx, row)

    async def _is_there(self, row: Domain, member_id: UUID | None) -> bool | None:
        """Whether the proof is there; None if nobody can say, which is held against no domain."""
        try:
            if row.proof == DomainProof.DNS:
                return await self._proofs.in_dns(row.domain, row.token)
            return member_id is not None and await self._proofs.by_address(row.domain, member_id)
        except (DomainError, grpc.aio.AioRpcError) as error:
            _log.warning("a domain could not be looked at", domain_id=str(row.id), error=type(error).__name__)
            return None


async def _prover(tx: Snapshot, row: Domain) -> UUID | None:
    """Answers the member by whose address the domain is proven, if they are an owner still."""
    if row.prover_account_id is None:
        return None
    access = await Rights(tx, row.tenant_id).of(row.prover_account_id)
    return access.member_id if access is not None and access.title >= TITLE_OWNER else None

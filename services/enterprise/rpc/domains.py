"""wrtn.enterprise.v1 DomainService."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import grpc
from google.protobuf.empty_pb2 import Empty

from chassis.call import Caller, current
from chassis.database import Database, Scope, Transaction
from chassis.idempotency import once, replayed
from chassis.paging import Page
from services.enterprise import convert
from services.enterprise.domains import domain_names, domains
from services.enterprise.domains.proofs import Proofs
from services.enterprise.identity import Identity
from services.enterprise.models import DomainProof
from services.enterprise.rpc.asking import sure
from services.enterprise.store import Domains, ProvenDomains, Rights
from wrtn.access.v1.access_pb2 import TITLE_OWNER
from wrtn.enterprise.v1 import domains_pb2
from wrtn.enterprise.v1.domains_pb2_grpc import DomainServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class DomainRpc(DomainServiceServicer):
    """Claims domains and has them proven."""

    def __init__(self, db: Database, identity: Identity, proofs: Proofs) -> None:
        self._db = db
        self._identity = identity
        self._proofs = proofs

    async def AddDomain(self, request: domains_pb2.AddDomainRequest, context: Context) -> domains_pb2.Domain:
        """Adds the domain."""
        return await once(self._db, current().caller.scope, request, lambda tx: domains.add(tx, request))

    async def GetDomain(self, request: domains_pb2.GetDomainRequest, context: Context) -> domains_pb2.Domain:
        """Gets the domain."""
        async with self._db.snapshot(current().caller.scope) as tx:
            return convert.domain(await domains.get(tx, UUID(request.enterprise_id), UUID(request.domain_id)))

    async def ListDomains(
        self, request: domains_pb2.ListDomainsRequest, context: Context
    ) -> domains_pb2.ListDomainsResponse:
        """Lists the domains."""
        page = Page.of(request)
        async with self._db.snapshot(current().caller.scope) as tx:
            found = await Domains(tx, UUID(request.enterprise_id)).page(page.after(UUID), page.size + 1)
        rows, token = page.cut(found, key=lambda row: (str(row.id),))
        return domains_pb2.ListDomainsResponse(
            domains=[convert.domain(row) for row in rows], next_page_token=token
        )

    async def VerifyDomain(
        self, request: domains_pb2.VerifyDomainRequest, context: Context
    ) -> domains_pb2.Domain:
        """Looks for the proof, outside of any transaction, then notes it."""
        caller = current().caller
        known = await replayed(self._db, request, domains_pb2.Domain)
        if known is not None:
            return known
        await self._identity.require_acting(caller)
        scope = await self._prove(request, caller)
        proof = DomainProof(domains_pb2.Domain.Proof.Name(request.proof).removeprefix("PROOF_"))
        account_id = sure(caller.account_id) if proof == DomainProof.ADDRESS else None
        return await once(
            self._db,
            scope,
            request,
            lambda tx: domains.verify(
                tx,
                UUID(request.domain_id),
                proof,
                tenant_id=UUID(request.enterprise_id),
                prover_account_id=account_id,
            ),
        )

    async def RemoveDomain(self, request: domains_pb2.RemoveDomainRequest, context: Context) -> Empty:
        """Removes the domain."""

        async def work(tx: Transaction) -> Empty:
            await domains.remove(tx, UUID(request.enterprise_id), UUID(request.domain_id))
            return Empty()

        return await once(self._db, current().caller.scope, request, work)

    async def LookUpDomain(
        self, request: domains_pb2.LookUpDomainRequest, context: Context
    ) -> domains_pb2.LookUpDomainResponse:
        """Answers whose it is; a text that is no name is nobody's."""
        name = domain_names.ascii_form(request.domain)
        async with self._db.snapshot(Scope()) as tx:
            holder = await ProvenDomains(tx).holder(name) if name else None
        if holder is None:
            return domains_pb2.LookUpDomainResponse()
        return domains_pb2.LookUpDomainResponse(
            enterprise_id=str(holder.tenant_id), proof=domains_pb2.Domain.Proof.Value(f"PROOF_{holder.proof}")
        )

    async def _prove(self, request: domains_pb2.VerifyDomainRequest, caller: Caller) -> Scope:
        """Answers the scope in which the domain can be taken; raises DomainNotProven and DnsUnavailable."""
        tenant_id = UUID(request.enterprise_id)
        async with self._db.snapshot(caller.scope) as tx:
            row = await domains.get(tx, tenant_id, UUID(request.domain_id))
            scope = await domains.scope_to_verify(tx, row, caller.scope)
            access = await Rights(tx, tenant_id).of(sure(caller.account_id))
        if request.proof == domains_pb2.Domain.PROOF_DNS:
            proven = await self._proofs.in_dns(row.domain, row.token)
        else:
            owner = access is not None and access.title >= TITLE_OWNER
            proven = owner and await self._proofs.by_address(row.domain, sure(caller.member_id))
        if not proven:
            raise domains.not_proven()
        return scope

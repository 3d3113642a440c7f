"""Claiming domains, proving them, losing them."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from chassis.database import Scope, Snapshot, Transaction
from services.enterprise import convert, events, letters
from services.enterprise.domains import domain_names
from services.enterprise.errors import (
    DomainAdded,
    DomainNotFound,
    DomainNotProven,
    DomainTaken,
    TooManyDomains,
)
from services.enterprise.models import Domain, DomainProof, DomainState, ProvenDomain
from services.enterprise.store import Domains, Enterprises, ProvenDomains
from wrtn.enterprise.v1 import domains_pb2
from wrtn.enterprise.v1.events_pb2 import DomainLost, DomainRemoved, DomainVerified

CHECK_EVERY = timedelta(days=1)
LOST_AFTER = timedelta(days=3)
"""A verified domain is lost when its proof was missing at `LOST_MISSES` looks at least, over this time."""
LOST_MISSES = 3
_MOST = 100
_TOKEN_BYTES = 20


async def add(tx: Transaction, request: domains_pb2.AddDomainRequest) -> domains_pb2.Domain:
    """Claims a domain; raises DomainInvalid, DomainAdded and TooManyDomains."""
    tenant_id = UUID(request.enterprise_id)
    known = Domains(tx, tenant_id)
    # Behind the enterprise's lock, so that the count holds.
    await Enterprises(tx, tenant_id).lock()
    if await known.count() >= _MOST:
        raise TooManyDomains(f"An enterprise has {_MOST} domains at most.")
    row = Domain(
        tenant_id=tenant_id,
        id=tx.clock.new_id(),
        domain=domain_names.parsed(request.domain),
        token=tx.clock.secret(_TOKEN_BYTES),
        state=DomainState.PENDING,
        misses=0,
        version=1,
        create_time=tx.now,
    )
    if not await known.add(row):
        raise DomainAdded("The enterprise has this domain already.", field="domain")
    tx.audit("domain.added", tenant_id=tenant_id, target_id=row.id)
    return convert.domain(row)


async def get(tx: Snapshot, tenant_id: UUID, domain_id: UUID, *, lock: bool = False) -> Domain:
    """Answers the domain; raises DomainNotFound."""
    row = await Domains(tx, tenant_id).get(domain_id, lock=lock)
    if row is None:
        raise DomainNotFound("The domain does not exist.", field="domain_id")
    return row


async def scope_to_verify(tx: Snapshot, row: Domain, caller: Scope) -> Scope:
    """Answers the scope in which the domain can be taken: with the enterprise that may lose it by that."""
    holder = await ProvenDomains(tx).holder(row.domain)
    return caller if holder is None else Scope(caller.tenants | {holder.tenant_id}, caller.member_id)


async def verify(
    tx: Transaction,
    domain_id: UUID,
    proof: DomainProof,
    *,
    tenant_id: UUID,
    prover_account_id: UUID | None,
) -> domains_pb2.Domain:
    """Notes that the domain is proven, by an account's address if one is given; raises DomainTaken."""
    row = await get(tx, tenant_id, domain_id, lock=True)
    directory = ProvenDomains(tx)
    await _make_way(tx, await directory.locked(row.domain), row, proof)
    entry = ProvenDomain(
        domain=row.domain,
        tenant_id=tenant_id,
        domain_id=row.id,
        proof=proof,
        next_check_time=tx.now + CHECK_EVERY,
    )
    if not await directory.enter(entry):
        raise _taken()
    row.proof, row.prover_account_id = proof, prover_account_id
    row.check_time = tx.now
    found(row)
    if row.state != DomainState.VERIFIED:
        row.state, row.verify_time = DomainState.VERIFIED, tx.now
        row.version += 1
        events.domain_changed(tx, row, DomainVerified)
    tx.audit("domain.verified", tenant_id=tenant_id, target_id=row.id, proof=proof)
    return convert.domain(row)


async def remove(tx: Transaction, tenant_id: UUID, domain_id: UUID) -> None:
    """Gives the domain up; raises DomainNotFound."""
    row = await get(tx, tenant_id, domain_id, lock=True)
    if await ProvenDomains(tx).release(row.domain, tenant_id):
        row.version += 1
        events.domain_changed(tx, row, DomainRemoved)
    tx.audit("domain.removed", tenant_id=tenant_id, target_id=domain_id)
    await tx.session.flush()
    await Domains(tx, tenant_id).remove(domain_id)


async def missed(tx: Transaction, row: Domain) -> None:
    """Notes that the proof of a verified domain was not there; it is lost if that has gone on for days."""
    row.misses += 1
    row.missing_time = row.missing_time or tx.now
    if row.misses >= LOST_MISSES and tx.now - row.missing_time >= LOST_AFTER:
        await lose(tx, row)


def found(row: Domain) -> None:
    """Notes that the proof of a verified domain is there."""
    row.misses, row.missing_time = 0, None


async def lose(tx: Transaction, row: Domain) -> None:
    """Takes the domain out of the directory and writes to the owners, who may verify it again."""
    await ProvenDomains(tx).release(row.domain, row.tenant_id)
    row.state = DomainState.LOST
    row.version += 1
    events.domain_changed(tx, row, DomainLost)
    tx.audit("domain.lost", tenant_id=row.tenant_id, target_id=row.id)
    await letters.write_to_owners(tx, row.tenant_id, "domain_lost", {"domain": row.domain})


def not_proven() -> DomainNotProven:
    """Answers the error for a proof that is not there."""
    return DomainNotProven("The proof of the domain is not there.", field="proof")


async def _make_way(tx: Transaction, holder: ProvenDomain | None, row: Domain, proof: DomainProof) -> None:
    """Takes out an entry that gives way: the enterprise's own, or a weaker one of another."""
    if holder is None:
        return
    if holder.tenant_id == row.tenant_id:
        await ProvenDomains(tx).release(row.domain, row.tenant_id)
        return
    stronger = proof == DomainProof.DNS and holder.proof == DomainProof.ADDRESS
    # Out of scope: it was entered since the scope was chosen. The next try knows of it.
    if not stronger or holder.tenant_id not in tx.scope.tenants:
        raise _taken()
    await lose(tx, await get(tx, holder.tenant_id, holder.domain_id, lock=True))


def _taken() -> DomainTaken:
    return DomainTaken("Another enterprise has proven the domain.", field="domain_id")

"""Whose domain an address is of, as enterprise says."""

from __future__ import annotations

from uuid import UUID

import grpc

from chassis.errors import Unavailable
from chassis.rpc.client import Peers
from services.identity.members import addresses
from wrtn.enterprise.v1.domains_pb2 import Domain, LookUpDomainRequest
from wrtn.enterprise.v1.domains_pb2_grpc import DomainServiceStub

_PATIENCE = 2.0


class DomainsUnavailable(Unavailable):
    """Enterprise, which knows whose a domain is, did not answer."""

    reason = "DOMAINS_UNAVAILABLE"


class Domains:
    """Asks enterprise."""

    def __init__(self, peers: Peers) -> None:
        self._peers = peers

    async def owner_of(self, address: str) -> UUID | None:
        """Answers the enterprise that has proven the domain of an address by DNS, None if none has.

        An owner's address proves less: it must not decide how others sign in.
        """
        domain = addresses.sought(address).rpartition("@")[2]
        if not domain:
            return None
        stub = self._peers.stub(DomainServiceStub, "enterprise")
        try:
            found = await stub.LookUpDomain(LookUpDomainRequest(domain=domain), timeout=_PATIENCE)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.INVALID_ARGUMENT:
                return None
            raise DomainsUnavailable(
                "It cannot be told whose the domain is; try again.", retry_after=1
            ) from error
        proven = found.enterprise_id and found.proof == Domain.Proof.PROOF_DNS
        return UUID(found.enterprise_id) if proven else None

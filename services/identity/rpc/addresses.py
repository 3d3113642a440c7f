"""wrtn.identity.v1 AddressService."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import grpc

from chassis.crypto import Keyring
from chassis.database import Database, Scope
from services.identity.members import addresses, members
from services.identity.models import MemberState
from services.identity.store import Members
from wrtn.identity.v1.addresses_pb2 import (
    FindOwnersRequest,
    FindOwnersResponse,
    ListVerifiedAddressesRequest,
    ListVerifiedAddressesResponse,
)
from wrtn.identity.v1.addresses_pb2_grpc import AddressServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class AddressRpc(AddressServiceServicer):
    """wrtn.identity.v1 AddressService."""

    def __init__(self, db: Database, keyring: Keyring) -> None:
        self._db = db
        self._keyring = keyring

    async def ListVerifiedAddresses(
        self, request: ListVerifiedAddressesRequest, context: Context
    ) -> ListVerifiedAddressesResponse:
        """Decrypts the proven addresses of an active member."""
        member_id = UUID(request.member_id)
        async with self._db.snapshot(Scope.of(member_id=member_id)) as tx:
            found = await Members(tx).get(member_id)
            if found is None or found.state != MemberState.ACTIVE:
                return ListVerifiedAddressesResponse()
            profile = await members.profile(tx, self._keyring, found, own=True)
        proven = [address for row, address in profile.emails if row.verify_time is not None]
        return ListVerifiedAddressesResponse(addresses=proven)

    async def FindOwners(self, request: FindOwnersRequest, context: Context) -> FindOwnersResponse:
        """Finds who has verified each address."""
        sought = [
            self._keyring.lookup(addresses.PURPOSE, addresses.sought(each)) for each in request.addresses
        ]
        async with self._db.snapshot(Scope()) as tx:
            owners = await Members(tx).owners_of(sought)
        return FindOwnersResponse(member_ids=[str(owners.get(each, "")) for each in sought])

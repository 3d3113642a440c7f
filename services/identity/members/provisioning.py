"""Members whom the directories of enterprises name."""

from __future__ import annotations

from uuid import UUID

from chassis.clock import Clock
from chassis.crypto import Keyring
from chassis.database import Database, Scope
from chassis.errors import Aborted
from services.identity.errors import MemberNotActive
from services.identity.members import addresses, members
from services.identity.members.members import Person
from services.identity.models import MemberState
from services.identity.store import Members

_ATTEMPTS = 3


async def provision(
    db: Database, keyring: Keyring, clock: Clock, enterprise_id: UUID, email: str, name: str
) -> tuple[UUID, bool]:
    """Answers who has verified the address, and whether they were made just now, with no password.

    Raises AddressInvalid and MemberNotActive.
    """
    address = addresses.parsed(email)
    address_hash = keyring.lookup(addresses.PURPOSE, addresses.same(address))
    for _ in range(_ATTEMPTS):
        async with db.snapshot(Scope()) as snapshot:
            owner_id = await Members(snapshot).owner_of(address_hash)
        if owner_id is not None:
            async with db.snapshot(Scope.of(member_id=owner_id)) as snapshot:
                if (await members.get(snapshot, owner_id)).state != MemberState.ACTIVE:
                    raise MemberNotActive("The member who has this address is not active.", field="email")
            return owner_id, False
        person = Person(clock.new_id(), address, name or address.partition("@")[0][:100], "")
        if await _added(db, keyring, clock, enterprise_id, person):
            return person.id, True
    raise Aborted("The address is being claimed at this moment; try again.", retry_after=0)


async def _added(db: Database, keyring: Keyring, clock: Clock, enterprise_id: UUID, person: Person) -> bool:
    """Adds the member, audited; False if somebody verified the address in the meantime."""
    account_id = clock.new_id()
    try:
        async with db.transaction(Scope.of(account_id, member_id=person.id)) as tx:
            if not await members.add_verified(tx, keyring, person, account_id):
                raise _AddressClaimed
            tx.audit(
                "member.provisioned", tenant_id=person.id, target_id=person.id, enterprise_id=enterprise_id
            )
    except _AddressClaimed:
        return False
    return True


class _AddressClaimed(Exception):
    """Somebody verified the address between the look and the transaction, which is undone."""

"""What identity does when enterprise tells of something."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from chassis.crypto import Keyring
from chassis.database import Transaction
from chassis.events.consumer import Consumer
from chassis.events.envelope import Event
from services.identity import members
from services.identity.accounts import Opening, open_for_employee
from services.identity.store import admit_member
from wrtn.enterprise.v1.events_pb2 import EmployeeHired


class Employment:
    """Opens the accounts of employees."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def consumer(self) -> Consumer:
        """Answers the consumer of enterprise's stream."""
        return Consumer("employment", "enterprise", {EmployeeHired: self.hired})

    async def hired(self, tx: Transaction, events: Sequence[Event[EmployeeHired]]) -> None:
        """Opens the account of each employee; one that enterprise had opened by RPC is left as it is.

        One by one, since each member's name is under that member's own row level security.
        """
        for event in events:
            opening = Opening(
                UUID(event.message.account_id),
                UUID(event.message.enterprise_id),
                UUID(event.message.member_id),
            )
            await admit_member(tx, opening.member_id)
            name = await members.name_of(tx, self._keyring, opening.member_id)
            await open_for_employee(tx, opening, name)

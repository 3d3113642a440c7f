"""What identity does when enterprise tells of something."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from chassis.crypto import Keyring
from chassis.database import Transaction
from chassis.events.consumer import Consumer
from chassis.events.envelope import Event
from services.identity.accounts.accounts import Opening, open_for_employee
from services.identity.credentials import standings
from services.identity.members import members
from services.identity.store import Standing, admit_member
from wrtn.enterprise.v1.events_pb2 import (
    EmployeeHired,
    EnterpriseClosed,
    EnterpriseReinstated,
    EnterpriseReopened,
    EnterpriseSuspended,
)

Halted = EnterpriseSuspended | EnterpriseClosed
Resumed = EnterpriseReinstated | EnterpriseReopened


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


async def halted(tx: Transaction, events: Sequence[Event[Halted]]) -> None:
    """Has the keys and credentials of these enterprises refused from now on."""
    await standings.keep(tx, [Standing(each.aggregate_id, True, each.version) for each in events])


async def resumed(tx: Transaction, events: Sequence[Event[Resumed]]) -> None:
    """Has the keys and credentials of these enterprises work again."""
    await standings.keep(tx, [Standing(each.aggregate_id, False, each.version) for each in events])


ENTERPRISES = Consumer(
    "enterprises",
    "enterprise",
    {
        EnterpriseSuspended: halted,
        EnterpriseClosed: halted,
        EnterpriseReinstated: resumed,
        EnterpriseReopened: resumed,
    },
)

"""What identity does when enterprise tells of something."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from chassis.crypto import Keyring
from chassis.database import Transaction
from chassis.events.consumer import Consumer
from chassis.events.envelope import Event
from services.identity import events as told
from services.identity.accounts.accounts import Opening, open_for_employee
from services.identity.members import members
from services.identity.store import Standing, admit_member, keep_standings
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
    await _turned(tx, [(each.version, each.aggregate_id) for each in events], held=True)


async def resumed(tx: Transaction, events: Sequence[Event[Resumed]]) -> None:
    """Has the keys and credentials of these enterprises work again."""
    await _turned(tx, [(each.version, each.aggregate_id) for each in events], held=False)


async def _turned(tx: Transaction, turns: Iterable[tuple[int, UUID]], *, held: bool) -> None:
    """Keeps the newest of each enterprise and tells of it: only now does asking again bring a new answer."""
    newest = {enterprise_id: version for version, enterprise_id in sorted(turns)}
    standings = [Standing(enterprise_id, held, version) for enterprise_id, version in newest.items()]
    for each in await keep_standings(tx, standings):
        told.enterprise_hold_changed(tx, each.tenant_id, each.version)


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

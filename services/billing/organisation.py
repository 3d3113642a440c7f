"""What billing learns of enterprises and accounts from those who own them, so that spending asks no peer.

Each fact carries the version of what it is about. A newer one replaces what is known, an older one that comes
later changes nothing: the order of arrival does not matter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar
from uuid import UUID

from google.protobuf.message import Message

from chassis.database import Transaction
from chassis.events.consumer import Consumer
from chassis.events.envelope import Event
from services.billing.models import (
    KnownAccount,
    KnownCompanion,
    KnownCurrency,
    KnownDuties,
    KnownEmployee,
    KnownEnterprise,
    KnownTeam,
)
from services.billing.models.base import Base
from services.billing.pricing.price_source import CURRENCY
from services.billing.store.organisation import add_tenures, keep
from services.billing.store.wallets import open_personal
from wrtn.enterprise.v1.events_pb2 import (
    CompanionAppointed,
    CompanionRemoved,
    DutiesChanged,
    EmployeeDismissed,
    EmployeeHired,
    EnterpriseCreated,
    EnterpriseUpdated,
    TeamArchived,
    TeamCreated,
    TeamMoved,
    TeamRestored,
    TitleChanged,
)
from wrtn.identity.v1.events_pb2 import AccountOpened, AccountTransferred

M = TypeVar("M", bound=Message)
Row = dict[str, Any]


def _knowing(
    table: type[Base], row_of: Callable[[M], Row]
) -> Callable[[Transaction, Sequence[Event[M]]], Any]:
    """Answers the handler that keeps the newest of each of these facts."""

    async def know(tx: Transaction, events: Sequence[Event[M]]) -> None:
        await keep(tx, table, _rows(events, row_of))

    return know


def _rows(events: Iterable[Event[M]], row_of: Callable[[M], Row]) -> list[Row]:
    return [
        {"tenant_id": event.tenant_id, "version": event.version, **row_of(event.message)} for event in events
    ]


async def _created(tx: Transaction, events: Sequence[Event[EnterpriseCreated]]) -> None:
    await keep(tx, KnownEnterprise, _rows(events, lambda fact: {"time_zone": fact.time_zone}))
    await keep(tx, KnownCurrency, _rows(events, lambda fact: {"currency": fact.currency or CURRENCY}))


def _updated(fact: EnterpriseUpdated) -> Row:
    return {"time_zone": fact.time_zone}


def _employed(fact: EmployeeHired | TitleChanged) -> Row:
    return {
        "employee_id": UUID(fact.employee_id),
        "member_id": UUID(fact.member_id),
        "title": fact.title,
    }


def _dismissed(fact: EmployeeDismissed) -> Row:
    return {"employee_id": UUID(fact.employee_id), "member_id": UUID(fact.member_id), "title": 0}


def _duties(fact: DutiesChanged) -> Row:
    return {"employee_id": UUID(fact.employee_id), "duties": list(fact.duties)}


def _team(fact: TeamCreated | TeamMoved | TeamRestored) -> Row:
    parent = UUID(fact.ancestor_ids[0]) if fact.ancestor_ids else None
    return {"team_id": UUID(fact.team_id), "parent_team_id": parent, "archived": False}


def _archived(fact: TeamArchived) -> Row:
    """The teams below stay as they are: who is under an archived team is archived, too."""
    parent = UUID(fact.parent_team_id) if fact.parent_team_id else None
    return {"team_id": UUID(fact.team_id), "parent_team_id": parent, "archived": True}


def _companion(fact: CompanionAppointed) -> Row:
    return {
        "employee_id": UUID(fact.employee_id),
        "team_id": UUID(fact.team_id),
        "role": fact.role,
    }


def _removed(fact: CompanionRemoved) -> Row:
    return {"employee_id": UUID(fact.employee_id), "team_id": UUID(fact.team_id), "role": 0}


async def _opened(tx: Transaction, events: Sequence[Event[AccountOpened]]) -> None:
    await _held(tx, [(event, event.message.holder_member_id) for event in events])
    tenants = {event.tenant_id: UUID(event.message.account_id) for event in events if event.tenant_id}
    await open_personal(
        tx, [tenant_id for tenant_id, account_id in tenants.items() if tenant_id == account_id]
    )


async def _transferred(tx: Transaction, events: Sequence[Event[AccountTransferred]]) -> None:
    await _held(tx, [(event, event.message.new_holder_member_id) for event in events])


async def _held(
    tx: Transaction, facts: Iterable[tuple[Event[AccountOpened] | Event[AccountTransferred], str]]
) -> None:
    """Keeps who holds accounts now, and from when on each of their holders did."""
    known, tenures = [], []
    for event, member_id in facts:
        row = {
            "tenant_id": event.tenant_id,
            "account_id": UUID(event.message.account_id),
            "version": event.version,
        }
        known.append(row | {"holder_member_id": UUID(member_id)})
        tenures.append(row | {"member_id": UUID(member_id), "start_time": event.time})
    await keep(tx, KnownAccount, known)
    await add_tenures(tx, tenures)


CONSUMERS = (
    Consumer(
        "organisation",
        "enterprise",
        {
            EnterpriseCreated: _created,
            EnterpriseUpdated: _knowing(KnownEnterprise, _updated),
            EmployeeHired: _knowing(KnownEmployee, _employed),
            TitleChanged: _knowing(KnownEmployee, _employed),
            EmployeeDismissed: _knowing(KnownEmployee, _dismissed),
            DutiesChanged: _knowing(KnownDuties, _duties),
            TeamCreated: _knowing(KnownTeam, _team),
            TeamMoved: _knowing(KnownTeam, _team),
            TeamArchived: _knowing(KnownTeam, _archived),
            TeamRestored: _knowing(KnownTeam, _team),
            CompanionAppointed: _knowing(KnownCompanion, _companion),
            CompanionRemoved: _knowing(KnownCompanion, _removed),
        },
    ),
    Consumer(
        "accounts",
        "identity",
        {
            AccountOpened: _opened,
            AccountTransferred: _transferred,
        },
    ),
)

"""Users of SCIM: employees of the enterprise whom its directory provisions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import any_, literal

from chassis.crypto import Keyring
from chassis.database import Snapshot, Transaction
from services.enterprise.domains import domain_names
from services.enterprise.enterprises import states
from services.enterprise.models import Employee, Enterprise, ScimUser
from services.enterprise.people import dismissals, employees
from services.enterprise.people.appointments import Act, Key
from services.enterprise.scim import documents
from services.enterprise.scim.documents import User
from services.enterprise.scim.errors import (
    ScimDomainNotVerified,
    ScimNotUnique,
    ScimResourceChanged,
    ScimResourceNotFound,
)
from services.enterprise.scim.filters import Column, as_id, as_truth
from services.enterprise.store import Employees, Enterprises, ProvenDomains, ScimUsers, UserRow
from wrtn.access.v1.access_pb2 import TITLE_MEMBER, TITLE_UNSPECIFIED

_SEALED = "wrtn_scim_users.sealed"
_PURPOSE = "scim"
"""The purpose of the keyed hashes by which users are found."""
_REASON = "SCIM"

Change = Callable[[User], User]
"""Answers what is to be said of the user, from what is said now."""


@dataclass(frozen=True, slots=True)
class Directory:
    """The directory of an enterprise, which calls by a key."""

    tenant_id: UUID
    key: Key
    keyring: Keyring

    def hash(self, attribute: str, value: object, *, exact: bool = False) -> bytes:
        """Answers the keyed hash of an attribute's value, apart for each enterprise."""
        text = str(value) if exact else str(value).casefold()
        return self.keyring.lookup(_PURPOSE, f"{self.tenant_id}\n{attribute}\n{text}")


async def locked(tx: Transaction, directory: Directory) -> Enterprise:
    """Answers the enterprise, locked against other appointments. Raises what `states.require_active` does."""
    enterprise = await Enterprises(tx, directory.tenant_id).lock()
    return states.require_active(enterprise)


async def require_provable(tx: Snapshot, directory: Directory, user: User) -> str:
    """Answers the user's address; raises ScimDomainNotVerified if its domain is not proven to be theirs."""
    address = documents.address_of(user)
    domain = domain_names.of_address(address)
    proven = await ProvenDomains(tx).holder(domain) if domain else None
    if proven is None or proven.tenant_id != directory.tenant_id:
        raise ScimDomainNotVerified("The enterprise has not verified the domain of the user's address.")
    return address


async def require_unique(tx: Snapshot, directory: Directory, user: User) -> None:
    """Raises ScimNotUnique if there is a user with this userName; another may still come before this one."""
    user_name_hash = directory.hash("userName", user.user_name)
    if await ScimUsers(tx, directory.tenant_id).named(user_name_hash) is not None:
        raise ScimNotUnique("There is a user with this userName already.")


async def create(tx: Transaction, directory: Directory, member_id: UUID, user: User) -> tuple[User, Employee]:
    """Employs the member, and keeps what is said of them. Raises ScimNotUnique and HandoverPending."""
    enterprise = await locked(tx, directory)
    await require_provable(tx, directory, user)
    known = await Employees(tx, directory.tenant_id).of_member(member_id)
    if known is None or known.title == TITLE_UNSPECIFIED:
        known = await employees.employ(
            tx, directory.keyring, enterprise, directory.key, member_id, TITLE_MEMBER, _REASON
        )
    row = ScimUser(
        tenant_id=directory.tenant_id, employee_id=known.id, create_time=tx.now, update_time=tx.now
    )
    await _keep(tx, directory, row, user)
    if not await ScimUsers(tx, directory.tenant_id).add(row):
        raise ScimNotUnique("There is a user with this userName or this address already.")
    if user.active is False:
        await _dismiss(tx, directory, enterprise, known)
    tx.audit("scim.user_created", tenant_id=directory.tenant_id, target_id=known.id)
    return await rendered(tx, directory, (row, known)), known


async def update(
    tx: Transaction, directory: Directory, user_id: str, change: Change, if_match: str
) -> tuple[User, Employee]:
    """Changes what is said of the user; who is not active any more is dismissed, who is again is employed.

    Raises ScimResourceNotFound, ScimResourceChanged, ScimNotUnique, ScimDomainNotVerified, LastOwner and
    what the change raises.
    """
    enterprise = await locked(tx, directory)
    row, employee = await found(tx, directory, user_id)
    before = await rendered(tx, directory, (row, employee))
    require_version(documents.version_of(before), if_match)
    after = change(before)
    employs = after.active is not False and employee.title == TITLE_UNSPECIFIED and after.active is not None
    if employs or documents.address_of(after) != documents.address_of(before):
        await require_provable(tx, directory, after)
    user_name_hash = directory.hash("userName", after.user_name)
    if await ScimUsers(tx, directory.tenant_id).named(user_name_hash) not in (None, row.employee_id):
        raise ScimNotUnique("There is a user with this userName already.")
    if documents.kept(after) != documents.kept(before):
        row.update_time = tx.now
        await _keep(tx, directory, row, after)
        tx.audit("scim.user_changed", tenant_id=directory.tenant_id, target_id=employee.id)
    if employs:
        member_id = employee.member_id
        await employees.employ(
            tx, directory.keyring, enterprise, directory.key, member_id, TITLE_MEMBER, _REASON
        )
    elif after.active is False and employee.title != TITLE_UNSPECIFIED:
        await _dismiss(tx, directory, enterprise, employee)
    await tx.session.flush()
    return await rendered(tx, directory, (row, employee)), employee


async def delete(tx: Transaction, directory: Directory, user_id: str, if_match: str) -> None:
    """Dismisses the employee and forgets the user. Raises as `update` does."""
    enterprise = await locked(tx, directory)
    row, employee = await found(tx, directory, user_id)
    require_version(documents.version_of(await rendered(tx, directory, (row, employee))), if_match)
    if employee.title != TITLE_UNSPECIFIED:
        await _dismiss(tx, directory, enterprise, employee)
    await ScimUsers(tx, directory.tenant_id).remove(employee.id)
    tx.audit("scim.user_deleted", tenant_id=directory.tenant_id, target_id=employee.id)


async def found(tx: Snapshot, directory: Directory, user_id: str) -> UserRow:
    """Answers the user; raises ScimResourceNotFound."""
    wanted = as_id(user_id)
    row = await ScimUsers(tx, directory.tenant_id).get(wanted) if wanted else None
    if row is None:
        raise ScimResourceNotFound("There is no such user.")
    return row


async def rendered(tx: Snapshot, directory: Directory, row: UserRow) -> User:
    """Answers the user as SCIM shows it."""
    key = await directory.keyring.key(tx, directory.tenant_id)
    said, employee = row
    user = documents.stored(User, key.decrypt(said.sealed, _SEALED, said.tenant_id, said.employee_id))
    user.active = employee.title != TITLE_UNSPECIFIED
    documents.stamp(user, employee.id, said.create_time, said.update_time)
    return user


def columns(directory: Directory) -> dict[str, Column]:
    """Answers what filters may compare."""
    emails, work = any_(ScimUser.email_hashes), any_(ScimUser.work_email_hashes)
    return {
        "username": lambda value: ScimUser.user_name_hash == directory.hash("userName", value),
        "externalid": lambda value: (
            ScimUser.external_id_hash == directory.hash("externalId", value, exact=True)
        ),
        "displayname": lambda value: ScimUser.display_name_hash == directory.hash("displayName", value),
        "id": lambda value: ScimUser.employee_id == as_id(value),
        "active": lambda value: (Employee.title > 0) == as_truth(value),
        "emails": lambda value: literal(directory.hash("email", value)) == emails,
        "emails.value": lambda value: literal(directory.hash("email", value)) == emails,
        "emails[work].value": lambda value: literal(directory.hash("email", value)) == work,
    }


def require_version(current: str, if_match: str) -> None:
    """Raises ScimResourceChanged if If-Match names other versions alone."""
    wanted = {each.strip().removeprefix("W/") for each in if_match.split(",")}
    if if_match and "*" not in wanted and current.removeprefix("W/") not in wanted:
        raise ScimResourceChanged("The resource has changed since: read it again.")


async def _keep(tx: Transaction, directory: Directory, row: ScimUser, user: User) -> None:
    """Writes into the row what is said of the user, encrypted, and the hashes by which it is found."""
    key = await directory.keyring.key(tx, directory.tenant_id)
    row.sealed = key.encrypt(documents.kept(user), _SEALED, row.tenant_id, row.employee_id)
    row.user_name_hash = directory.hash("userName", user.user_name)
    external = user.external_id
    row.external_id_hash = directory.hash("externalId", external, exact=True) if external else None
    name = user.display_name
    row.display_name_hash = directory.hash("displayName", name) if name else None
    emails = [each for each in user.emails or [] if each.value]
    row.email_hashes = [directory.hash("email", each.value) for each in emails]
    row.work_email_hashes = [directory.hash("email", each.value) for each in emails if each.type == "work"]


async def _dismiss(tx: Transaction, directory: Directory, enterprise: Enterprise, row: Employee) -> None:
    act = Act(
        "employee.dismissed",
        row.id,
        directory.key,
        _REASON,
        title_before=row.title,
        duties_before=row.duties,
    )
    await dismissals.end(tx, directory.keyring, enterprise, row, act)

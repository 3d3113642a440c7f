"""What identity holds about a member: whose accounts, and its end; `documents` hands it out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select, update

from chassis.database import Snapshot, Transaction
from chassis.runtime import Runtime
from chassis.subjects import Subject, SubjectRpc
from services.identity import events
from services.identity.logins import logins
from services.identity.models import (
    Account,
    AccountKind,
    ApiKey,
    Avatar,
    Base,
    Email,
    EmailVerification,
    Export,
    FederatedIdentity,
    FederatedSubject,
    Hold,
    KnownDevice,
    LoginEnd,
    Mail,
    MemberState,
    Passkey,
    PasswordReset,
    RecoveryCode,
    RefreshToken,
    SignInChallenge,
    TotpFactor,
    VerifiedAddress,
)
from services.identity.personal_data.documents import documents
from services.identity.store import Members

DELETED: tuple[type[Base], ...] = (
    VerifiedAddress,
    EmailVerification,
    Email,
    Avatar,
    PasswordReset,
    RefreshToken,
    KnownDevice,
    TotpFactor,
    RecoveryCode,
    SignInChallenge,
    Passkey,
    FederatedSubject,
    FederatedIdentity,
    ApiKey,
    Hold,
    Mail,
    Export,
)
"""The tables of which the member's rows are deleted, each before those that it refers to."""

KEPT = {
    "logins": "ids and times, to which records of sessions refer; device and address are under the key",
    "suspensions": "insert-only; the notes are under the key",
    "staff appointments": "insert-only; ids alone",
    "accounts, holdings and transfers": "costs refer to them; the codes of personal accounts are replaced",
    "codes of enterprise accounts": "they belong to the enterprise",
    "audit entries": "insert-only; what is not an id is under the key",
}


async def subject_of(snapshot: Snapshot, member_id: UUID) -> Subject:
    """Answers the scope's member with the accounts that they hold now."""
    query = select(Account.id, Account.tenant_id, Account.kind).where(Account.holder_member_id == member_id)
    rows = (await snapshot.session.execute(query)).all()
    personal = tuple(id_ for id_, _, kind in rows if kind == AccountKind.PERSONAL)
    return Subject(member_id, personal, {id_: tenant for id_, tenant, _ in rows if id_ not in personal})


async def bar(tx: Transaction, member_id: UUID) -> None:
    """Ends everything by which the member acts: the first step of an erasure, so that nothing new arises."""
    member = await Members(tx).lock(member_id)
    if member is None or member.state == MemberState.ERASED:
        return
    await logins.end_all(tx, member_id, LoginEnd.MEMBER_ERASED)
    member.state = MemberState.CLOSED
    member.close_time = member.close_time or tx.now
    member.version += 1
    events.member_closed(tx, member_id, member.version)


async def erase(tx: Transaction, subject: Subject) -> Mapping[str, int]:
    """Destroys what the keys do not destroy; answers how many rows of each table were deleted now."""
    destroyed: dict[str, int] = {}
    for table in DELETED:
        owner = table.__table__.c.member_id
        result = await tx.session.execute(delete(table).where(owner == subject.member_id))
        destroyed[table.__tablename__.removeprefix("wrtn_")] = getattr(result, "rowcount", 0)
    for account_id in subject.personal_account_ids:
        renamed = update(Account).where(Account.tenant_id == account_id, Account.id == account_id)
        await tx.session.execute(renamed.values(code=f"erased-{account_id.hex[-12:]}"))
    member = await Members(tx).lock(subject.member_id)
    if member is not None and member.state != MemberState.ERASED:
        member.state = MemberState.ERASED
        member.display_name, member.phone, member.password_hash = b"", None, ""
        member.close_time = member.close_time or tx.now
        member.version += 1
        destroyed["profile"] = 1
        events.member_erased(tx, subject.member_id, member.version)
    return destroyed


def rpc(runtime: Runtime[Any]) -> SubjectRpc:
    """Answers the servicer."""
    return SubjectRpc(runtime, documents(runtime.keyring), erase, kept=KEPT)

"""The queries on people, logins and accounts, each class bound to one transaction.

Row level security decides whose rows there are; the conditions here say which of them are meant.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, and_, case, func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert

from chassis.database import Scope, Snapshot
from services.identity.models import (
    Account,
    AccountKind,
    Email,
    EmailVerification,
    Login,
    LoginEnd,
    Member,
    MemberState,
    RefreshToken,
    ServiceCredential,
    VerifiedAddress,
)


async def admit_member(tx: Snapshot, member_id: UUID) -> None:
    """Admits one member's rows to the rest of this transaction, in place of those of the scope's member.

    For a consumer, whose batch is opened for the tenants of its events and which learns of the members
    from the events themselves.
    """
    await tx.session.execute(select(func.set_config("wrtn.member", str(member_id), True)))
    tx.scope = Scope(tx.scope.tenants, member_id)


class Members:
    """The scope's member."""

    def __init__(self, tx: Snapshot) -> None:
        self._session = tx.session

    async def get(self, member_id: UUID) -> Member | None:
        """Answers the member, if they are the scope's."""
        return await self._session.scalar(select(Member).where(Member.id == member_id))

    async def emails(self, member_id: UUID) -> Sequence[Email]:
        """Answers the addresses, the primary one first."""
        order = (Email.is_primary.desc(), Email.id)
        rows = await self._session.scalars(select(Email).where(Email.member_id == member_id).order_by(*order))
        return rows.all()

    async def owner_of(self, address_hash: bytes) -> UUID | None:
        """Answers who has proven the address. The directory belongs to no scope."""
        query = select(VerifiedAddress.member_id).where(VerifiedAddress.address_hash == address_hash)
        return await self._session.scalar(query)

    async def use_verification(self, member_id: UUID, token_hash: bytes, now: datetime) -> Email | None:
        """Uses the token, once, and answers the address that it was mailed to."""
        used = (
            update(EmailVerification)
            .where(
                EmailVerification.member_id == member_id,
                EmailVerification.token_hash == token_hash,
                EmailVerification.use_time.is_(None),
                EmailVerification.expire_time > now,
            )
            .values(use_time=now)
            .returning(EmailVerification.email_id)
        )
        email_id = await self._session.scalar(used)
        if email_id is None:
            return None
        query = select(Email).where(Email.member_id == member_id, Email.id == email_id)
        return await self._session.scalar(query)

    async def claim_address(self, email: Email) -> bool:
        """Enters the address into the directory; False if somebody has it, faster by a hair or not."""
        row = {"address_hash": email.address_hash, "member_id": email.member_id, "email_id": email.id}
        entered = insert(VerifiedAddress).values(row).on_conflict_do_nothing()
        return (await self._session.scalar(entered.returning(VerifiedAddress.email_id))) is not None

    async def appoint(self, member_id: UUID, right: int) -> Row[int, int] | None:
        """Gives an active member another right; answers the new version and the right before."""
        old = select(Member.id, Member.staff_right).where(Member.id == member_id).with_for_update()
        before = old.cte("before")
        changed = (
            update(Member)
            .where(
                Member.id == before.c.id,
                Member.state == MemberState.ACTIVE,
                before.c.staff_right != right,
            )
            .values(staff_right=right, version=Member.version + 1)
            .returning(Member.version, before.c.staff_right)
        )
        return (await self._session.execute(changed)).one_or_none()


class Logins:
    """The logins of the scope's member."""

    def __init__(self, tx: Snapshot) -> None:
        self._session = tx.session

    async def use_token(self, member_id: UUID, token_hash: bytes, now: datetime) -> UUID | None:
        """Uses a refresh token, once, and answers its login. A parallel use waits here, and is too late."""
        used = (
            update(RefreshToken)
            .where(
                RefreshToken.member_id == member_id,
                RefreshToken.token_hash == token_hash,
                RefreshToken.use_time.is_(None),
                RefreshToken.expire_time > now,
            )
            .values(use_time=now)
            .returning(RefreshToken.login_id)
        )
        return await self._session.scalar(used)

    async def of_used_token(self, member_id: UUID, token_hash: bytes) -> UUID | None:
        """Answers the login of a token that was used before; None for an unknown or unused one."""
        query = select(RefreshToken.login_id).where(
            RefreshToken.member_id == member_id,
            RefreshToken.token_hash == token_hash,
            RefreshToken.use_time.is_not(None),
        )
        return await self._session.scalar(query)

    async def prolong(
        self, member_id: UUID, login_id: UUID, account_id: UUID | None, now: datetime, until: datetime
    ) -> UUID | None:
        """Prolongs a good login, if named with another account; answers the account, None if it ended."""
        values: dict[str, Any] = {"expire_time": until, "version": Login.version + 1}
        if account_id is not None:
            values["account_id"] = account_id
        good = (Login.end_time.is_(None), Login.expire_time > now)
        changed = (
            update(Login).where(Login.member_id == member_id, Login.id == login_id, *good).values(values)
        )
        return await self._session.scalar(changed.returning(Login.account_id))

    async def end(self, member_id: UUID, login_id: UUID, reason: LoginEnd, now: datetime) -> int | None:
        """Ends a login; answers its version after that, None if it had ended before."""
        ended = (
            update(Login)
            .where(Login.member_id == member_id, Login.id == login_id, Login.end_time.is_(None))
            .values(end_time=now, end_reason=reason, version=Login.version + 1)
        )
        return await self._session.scalar(ended.returning(Login.version))


class Accounts:
    """The accounts of the scope's tenants, and those that the scope's member holds."""

    def __init__(self, tx: Snapshot) -> None:
        self._session = tx.session

    async def held(self, member_id: UUID, account_id: UUID) -> Account | None:
        """Answers the account if the member holds it."""
        query = select(Account).where(Account.holder_member_id == member_id, Account.id == account_id)
        return await self._session.scalar(query)

    async def personal(self, member_id: UUID) -> Account | None:
        """Answers the member's own account."""
        query = select(Account).where(
            Account.holder_member_id == member_id, Account.kind == AccountKind.PERSONAL
        )
        return await self._session.scalar(query)

    async def list_held(
        self, member_id: UUID, after: tuple[int, datetime, UUID] | None, most: int
    ) -> Sequence[Account]:
        """Answers the accounts that the member holds, the personal one first, then as they were opened."""
        order = (case((Account.kind == AccountKind.PERSONAL, 0), else_=1), Account.create_time, Account.id)
        query: Select[Account] = select(Account).where(Account.holder_member_id == member_id)
        if after is not None:
            query = query.where(tuple_(*order) > after)
        return (await self._session.scalars(query.order_by(*order).limit(most))).all()

    async def in_tenant(self, tenant_id: UUID, account_id: UUID) -> Account | None:
        """Answers an account of a tenant."""
        query = select(Account).where(Account.tenant_id == tenant_id, Account.id == account_id)
        return await self._session.scalar(query)

    async def add(self, values: dict[str, Any]) -> Account | None:
        """Adds an account; None if its id is open already or its code is taken in the tenant."""
        added = insert(Account).values(values).on_conflict_do_nothing().returning(Account)
        return await self._session.scalar(added)


class Principals:
    """What the token of a principal may do, in one query each."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._session = snapshot.session
        self._now = snapshot.now

    async def member(
        self, member_id: UUID, login_id: UUID | None, account_id: UUID | None
    ) -> Row[int, UUID | None, UUID | None] | None:
        """Answers right, good login and held account's tenant of an active member; None for any other."""
        login = and_(
            Login.member_id == Member.id,
            Login.id == login_id,
            Login.end_time.is_(None),
            Login.expire_time > self._now,
        )
        account = and_(Account.holder_member_id == Member.id, Account.id == account_id)
        query = (
            select(Member.staff_right, Login.id, Account.tenant_id)
            .outerjoin(Login, login)
            .outerjoin(Account, account)
            .where(Member.id == member_id, Member.state == MemberState.ACTIVE)
        )
        return (await self._session.execute(query)).one_or_none()

    async def credential(self, credential_id: UUID) -> ServiceCredential | None:
        """Answers a credential that is not revoked."""
        query = select(ServiceCredential).where(
            ServiceCredential.id == credential_id, ServiceCredential.revoke_time.is_(None)
        )
        return await self._session.scalar(query)


class Credentials:
    """The service credentials of one tenant."""

    def __init__(self, tx: Snapshot, tenant_id: UUID) -> None:
        self._session = tx.session
        self._tenant_id = tenant_id

    async def get(self, credential_id: UUID) -> ServiceCredential | None:
        """Answers a credential."""
        return await self._session.scalar(select(ServiceCredential).where(*self._is(credential_id)))

    async def newest(self, before: tuple[datetime, UUID] | None, most: int) -> Sequence[ServiceCredential]:
        """Answers the credentials, the newest first."""
        key = (ServiceCredential.create_time, ServiceCredential.id)
        query = select(ServiceCredential).where(ServiceCredential.tenant_id == self._tenant_id)
        if before is not None:
            query = query.where(tuple_(*key) < before)
        order = (column.desc() for column in key)
        return (await self._session.scalars(query.order_by(*order).limit(most))).all()

    async def revoke(self, credential_id: UUID, now: datetime) -> ServiceCredential | None:
        """Revokes a credential; None if it is revoked already or not the tenant's."""
        revoked = (
            update(ServiceCredential)
            .where(*self._is(credential_id), ServiceCredential.revoke_time.is_(None))
            .values(revoke_time=now, version=ServiceCredential.version + 1)
            .returning(ServiceCredential)
        )
        return await self._session.scalar(revoked)

    def _is(self, credential_id: UUID) -> tuple[Any, Any]:
        return ServiceCredential.tenant_id == self._tenant_id, ServiceCredential.id == credential_id

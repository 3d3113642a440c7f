"""The queries that resolve a principal."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Row, and_, select

from chassis.database import Snapshot
from services.identity.models import (
    Account,
    Login,
    Member,
    MemberState,
    ServiceCredential,
)


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

"""The queries that resolve a principal."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import ColumnElement, Row, and_, or_, select

from chassis.database import Snapshot
from services.identity.models import (
    Account,
    ApiKey,
    Login,
    Member,
    MemberState,
    ServiceCredential,
    SignInPolicy,
)
from services.identity.store.enterprise_holds import stands


class Principals:
    """What the token of a principal may do, in one query each."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._session = snapshot.session
        self._now = snapshot.now

    async def member(
        self, member_id: UUID, login_id: UUID | None, account_id: UUID | None
    ) -> Row[int, Login | None, UUID | None, SignInPolicy | None] | None:
        """Answers right, good login, held account's tenant and its policy; None for no active member."""
        login = and_(
            Login.member_id == Member.id,
            Login.id == login_id,
            Login.end_time.is_(None),
            Login.expire_time > self._now,
        )
        account = and_(Account.holder_member_id == Member.id, Account.id == account_id)
        query = (
            select(Member.staff_right, Login, Account.tenant_id, SignInPolicy)
            .outerjoin(Login, login)
            .outerjoin(Account, account)
            .outerjoin(SignInPolicy, SignInPolicy.tenant_id == Account.tenant_id)
            .where(Member.id == member_id, Member.state == MemberState.ACTIVE)
        )
        return (await self._session.execute(query)).one_or_none()

    async def member_key(
        self, member_id: UUID, *, key_id: UUID | None = None, key_hash: bytes | None = None
    ) -> Row[ApiKey, UUID, list[str] | None] | None:
        """Answers a good key, by its id or its hash, the tenant of its account, and its allowed ranges.

        None unless the member is active and holds the account at this moment, and its enterprise stands.
        """
        named = ApiKey.id == key_id if key_id is not None else ApiKey.key_hash == key_hash
        query = (
            select(ApiKey, Account.tenant_id, SignInPolicy.allowed_ranges)
            .join(Member, and_(Member.id == ApiKey.member_id, Member.state == MemberState.ACTIVE))
            .join(
                Account,
                and_(Account.holder_member_id == ApiKey.member_id, Account.id == ApiKey.account_id),
            )
            .outerjoin(SignInPolicy, SignInPolicy.tenant_id == Account.tenant_id)
            .where(ApiKey.member_id == member_id, named, *self._good(ApiKey))
            .where(stands(Account.tenant_id))
        )
        return (await self._session.execute(query)).one_or_none()

    async def credential(self, credential_id: UUID) -> ServiceCredential | None:
        """Answers a credential, of any kind, neither revoked nor expired, of an enterprise that stands."""
        query = select(ServiceCredential).where(
            ServiceCredential.id == credential_id,
            *self._good(ServiceCredential),
            stands(ServiceCredential.tenant_id),
        )
        return await self._session.scalar(query)

    def _good(self, kind: type[ApiKey | ServiceCredential]) -> tuple[ColumnElement[bool], ...]:
        unexpired = or_(kind.expire_time.is_(None), kind.expire_time > self._now)
        return kind.revoke_time.is_(None), unexpired

"""The queries on logins and their refresh tokens."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Update, exists, select, tuple_, update

from chassis.database import Snapshot
from services.identity.models import (
    Login,
    LoginEnd,
    Member,
    MemberState,
    RefreshToken,
)


class Logins:
    """The logins of the scope's member."""

    def __init__(self, tx: Snapshot) -> None:
        self._session = tx.session

    async def use_token(
        self, member_id: UUID, token_hash: bytes, retry_hash: bytes | None, now: datetime
    ) -> UUID | None:
        """Uses a refresh token, once, and answers its login. A parallel use waits here, and is too late."""
        used = (
            update(RefreshToken)
            .where(
                RefreshToken.member_id == member_id,
                RefreshToken.token_hash == token_hash,
                RefreshToken.use_time.is_(None),
                RefreshToken.expire_time > now,
                # The token of a member who is held back stays as it is, for when they may go on.
                exists().where(Member.id == member_id, Member.state == MemberState.ACTIVE),
            )
            .values(use_time=now, retry_hash=retry_hash)
            .returning(RefreshToken.login_id)
        )
        return await self._session.scalar(used)

    async def used_token(self, member_id: UUID, token_hash: bytes) -> RefreshToken | None:
        """Answers a token that was used before; None for an unknown or unused one."""
        query = select(RefreshToken).where(
            RefreshToken.member_id == member_id,
            RefreshToken.token_hash == token_hash,
            RefreshToken.use_time.is_not(None),
        )
        return await self._session.scalar(query)

    async def unused(
        self, member_id: UUID, login_id: UUID, token_hash: bytes, now: datetime
    ) -> Row[UUID, datetime] | None:
        """Answers account and expiry of a good login's token that is still to be used."""
        query = (
            select(Login.account_id, RefreshToken.expire_time)
            .join(RefreshToken, RefreshToken.login_id == Login.id)
            .where(
                Login.id == login_id,
                RefreshToken.member_id == member_id,
                RefreshToken.token_hash == token_hash,
                RefreshToken.use_time.is_(None),
                *_good(member_id, now),
            )
        )
        return (await self._session.execute(query)).one_or_none()

    async def prolong(
        self,
        member_id: UUID,
        login_id: UUID,
        account_id: UUID | None,
        now: datetime,
        until: datetime,
        seen: dict[str, Any],
    ) -> UUID | None:
        """Prolongs a good login, if named with another account; answers the account, None if it ended.

        `seen` are the columns that say from where it is used.
        """
        values = seen | {"expire_time": until, "last_use_time": now, "version": Login.version + 1}
        if account_id is not None:
            values["account_id"] = account_id
        changed = update(Login).where(Login.id == login_id, *_good(member_id, now)).values(values)
        return await self._session.scalar(changed.returning(Login.account_id))

    async def get(self, member_id: UUID, login_id: UUID) -> Login | None:
        """Answers a login, ended or not."""
        query = select(Login).where(Login.member_id == member_id, Login.id == login_id)
        return await self._session.scalar(query)

    async def newest(
        self, member_id: UUID, before: tuple[datetime, UUID] | None, most: int, now: datetime
    ) -> Sequence[Login]:
        """Answers the good logins, the newest first."""
        key = (Login.create_time, Login.id)
        query = select(Login).where(*_good(member_id, now))
        if before is not None:
            query = query.where(tuple_(*key) < before)
        order = (column.desc() for column in key)
        return (await self._session.scalars(query.order_by(*order).limit(most))).all()

    async def known(self, member_id: UUID, login_id: UUID) -> bool:
        """Says whether there is such a login, ended or not."""
        query = select(Login.id).where(Login.member_id == member_id, Login.id == login_id)
        return await self._session.scalar(query) is not None

    async def act(self, member_id: UUID, login_id: UUID, account_id: UUID) -> None:
        """Lets another account act."""
        changed = update(Login).where(Login.member_id == member_id, Login.id == login_id)
        await self._session.execute(changed.values(account_id=account_id, version=Login.version + 1))

    async def end(self, member_id: UUID, login_id: UUID, reason: LoginEnd, now: datetime) -> int | None:
        """Ends a login; answers its version after that, None if it had ended before."""
        ended = _ended(reason, now).where(
            Login.member_id == member_id, Login.id == login_id, Login.end_time.is_(None)
        )
        return await self._session.scalar(ended.returning(Login.version))

    async def end_all(
        self, member_id: UUID, but: UUID | None, reason: LoginEnd, now: datetime
    ) -> Sequence[Row[UUID, int]]:
        """Ends the good logins, all but one if wanted; answers ids and versions."""
        ended = _ended(reason, now).where(*_good(member_id, now))
        if but is not None:
            ended = ended.where(Login.id != but)
        return (await self._session.execute(ended.returning(Login.id, Login.version))).all()


def _good(member_id: UUID, now: datetime) -> tuple[Any, ...]:
    return Login.member_id == member_id, Login.end_time.is_(None), Login.expire_time > now


def _ended(reason: LoginEnd, now: datetime) -> Update:
    return update(Login).values(end_time=now, end_reason=reason, version=Login.version + 1)

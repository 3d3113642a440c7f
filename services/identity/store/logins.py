"""The queries on logins and their refresh tokens."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, update

from chassis.database import Snapshot
from services.identity.models import (
    Login,
    LoginEnd,
    RefreshToken,
)


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

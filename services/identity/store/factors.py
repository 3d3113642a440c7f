"""The queries on second factors and on sign-ins that wait for one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from chassis.database import Snapshot
from services.identity.models import FactorState, RecoveryCode, SignInChallenge, TotpFactor

FACTOR_ACTIVE = "SELECT FROM wrtn_totp_factors WHERE member_id = %s AND state = 'ACTIVE'"


class Factors:
    """The second factors of the scope's member."""

    def __init__(self, tx: Snapshot, member_id: UUID) -> None:
        self._tx = tx
        self._session = tx.session
        self._member_id = member_id

    async def active(self) -> bool:
        """Says whether an authenticator app is active; asked at each sign-in, so past SQLAlchemy."""
        return (await (await self._tx.driver()).execute(FACTOR_ACTIVE, (self._member_id,))).rowcount == 1

    async def totp(self) -> TotpFactor | None:
        """Answers the authenticator app, pending or active."""
        return await self._session.scalar(select(TotpFactor).where(TotpFactor.member_id == self._member_id))

    async def put_pending(self, values: dict[str, Any]) -> bool:
        """Begins with a secret, in place of one that was never confirmed; False if one is active."""
        put = upsert(TotpFactor).values(member_id=self._member_id, state=FactorState.PENDING, **values)
        put = put.on_conflict_do_update(
            index_elements=[TotpFactor.member_id],
            set_=values,
            where=TotpFactor.state == FactorState.PENDING,
        )
        return await self._session.scalar(put.returning(TotpFactor.member_id)) is not None

    async def use_step(self, step: int, state: FactorState) -> bool:
        """Uses the code of a half minute and makes the app active; False if one as young was used."""
        used = (
            update(TotpFactor)
            .where(
                TotpFactor.member_id == self._member_id,
                TotpFactor.state == state,
                TotpFactor.last_step < step,
            )
            .values(last_step=step, state=FactorState.ACTIVE)
        )
        return await self._session.scalar(used.returning(TotpFactor.member_id)) is not None

    async def remove_totp(self) -> bool:
        """Removes app and recovery codes; False if none was active."""
        await self._session.execute(delete(RecoveryCode).where(RecoveryCode.member_id == self._member_id))
        removed = delete(TotpFactor).where(
            TotpFactor.member_id == self._member_id, TotpFactor.state == FactorState.ACTIVE
        )
        return await self._session.scalar(removed.returning(TotpFactor.member_id)) is not None

    async def put_codes(self, hashes: Sequence[bytes], now: datetime) -> None:
        """Puts new recovery codes in place of all others."""
        await self._session.execute(delete(RecoveryCode).where(RecoveryCode.member_id == self._member_id))
        rows = [{"member_id": self._member_id, "code_hash": each, "create_time": now} for each in hashes]
        await self._session.execute(insert(RecoveryCode), rows)

    async def use_code(self, code_hash: bytes, now: datetime) -> bool:
        """Uses a recovery code, once."""
        used = (
            update(RecoveryCode)
            .where(
                RecoveryCode.member_id == self._member_id,
                RecoveryCode.code_hash == code_hash,
                RecoveryCode.use_time.is_(None),
            )
            .values(use_time=now)
        )
        return await self._session.scalar(used.returning(RecoveryCode.member_id)) is not None

    async def codes_left(self) -> int:
        """Answers how many recovery codes are still good."""
        query = select(func.count()).where(
            RecoveryCode.member_id == self._member_id, RecoveryCode.use_time.is_(None)
        )
        return await self._session.scalar(query) or 0

    async def challenge(self, token_hash: bytes, now: datetime) -> SignInChallenge | None:
        """Answers a sign-in that waits."""
        return await self._session.scalar(select(SignInChallenge).where(*self._waits(token_hash, now)))

    async def use_challenge(self, token_hash: bytes, now: datetime) -> bool:
        """Ends the waiting of a sign-in, once."""
        used = delete(SignInChallenge).where(*self._waits(token_hash, now))
        return await self._session.scalar(used.returning(SignInChallenge.member_id)) is not None

    def _waits(self, token_hash: bytes, now: datetime) -> tuple[Any, ...]:
        return (
            SignInChallenge.member_id == self._member_id,
            SignInChallenge.token_hash == token_hash,
            SignInChallenge.expire_time > now,
        )

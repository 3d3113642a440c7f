"""The statements of a sign-in, in few round trips, and past SQLAlchemy, which costs more than they do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import AsyncCursor

from chassis.database import Scope, Snapshot, Transaction
from chassis.database.transactions import Driver
from services.identity.models import MemberState
from services.identity.store.devices import REMEMBER
from services.identity.store.factors import FACTOR_ACTIVE
from services.identity.store.guesses import TAKE_OUT

_ADMIT = """
SELECT member_id, set_config('wrtn.member', coalesce(member_id, %(nobody)s)::text, true)
FROM (VALUES (1)) AS one LEFT JOIN wrtn_verified_addresses ON address_hash = %(address)s
"""
_KNOWN = """
SELECT wrtn_members.state, wrtn_members.password_hash,
       (SELECT id FROM wrtn_accounts
        WHERE holder_member_id = who.id AND kind = 'PERSONAL' AND NOT inherited),
       EXISTS (SELECT FROM wrtn_known_devices
               WHERE member_id = who.id AND token_hash = %(device)s AND expire_time > %(now)s)
FROM (SELECT current_setting('wrtn.member')::uuid AS id) AS who LEFT JOIN wrtn_members USING (id)
"""
_GIVE_BACK = f"WITH given AS ({TAKE_OUT}) {FACTOR_ACTIVE}"
_LOCK = "SELECT FROM wrtn_members WHERE id = %(member_id)s AND state = 'ACTIVE' FOR NO KEY UPDATE"
_OPEN = """
WITH ended AS (
    UPDATE wrtn_logins SET end_time = %(now)s, end_reason = %(reason)s, version = version + 1
    WHERE member_id = %(member_id)s AND id IN (
        SELECT id FROM wrtn_logins
        WHERE member_id = %(member_id)s AND end_time IS NULL AND expire_time > %(now)s
        ORDER BY create_time DESC, id DESC OFFSET %(most)s - 1)
    RETURNING id, version),
login AS (
    INSERT INTO wrtn_logins (member_id, id, account_id, methods, connection_id, connection_tenant_id,
                             device, address, last_use_time, expire_time, version, create_time)
    VALUES (%(member_id)s, %(id)s, %(account_id)s, %(methods)s, %(connection_id)s, %(connection_tenant_id)s,
            %(device)s, %(address)s, %(now)s, %(expire_time)s, 1, %(now)s)),
token AS (
    INSERT INTO wrtn_refresh_tokens (member_id, token_hash, login_id, expire_time, create_time)
    VALUES (%(member_id)s, %(token_hash)s, %(id)s, %(expire_time)s, %(now)s))
SELECT id, version FROM ended
"""


@dataclass(frozen=True, slots=True)
class Known:
    """What signing in asks of a member; nothing of one who does not exist."""

    state: MemberState | None
    password_hash: str | None
    account_id: UUID | None
    by_device: bool
    """Whether they are known by the device token that came along."""


class Search:
    """Who wants to sign in, looked up alike whether or not they exist, in the round trip that begins.

    `nobody` is the id of the member who is looked up in place of one that does not exist.
    """

    def __init__(self, address_hash: bytes, nobody: UUID, device_hash: bytes, now: datetime) -> None:
        self._nobody = nobody
        self._values = {"address": address_hash, "nobody": nobody, "device": device_hash, "now": now}
        self._found: list[AsyncCursor[Any]] = []

    async def ask(self, driver: Driver) -> None:
        """Sends the statements; the first admits the member's rows to the rest of the transaction."""
        self._found = [await driver.execute(each, self._values) for each in (_ADMIT, _KNOWN)]

    async def found(self, tx: Snapshot) -> tuple[UUID | None, Known]:
        """Answers who has proven the address, if anybody, and what is known of them."""
        (owner, _), (state, *rest) = [row for each in self._found for row in await each.fetchall()]
        tx.scope = Scope(tx.scope.tenants, owner or self._nobody)
        return owner, Known(MemberState(state) if state is not None else None, *rest)


class Admission:
    """Gives the try of a right password back, and asks for a second factor, in the round trip that begins."""

    def __init__(self, member_id: UUID, subjects: Sequence[bytes], time: datetime) -> None:
        self._values = (time, list(subjects), member_id)
        self._found: AsyncCursor[Any] | None = None

    async def ask(self, driver: Driver) -> None:
        """Sends the statement."""
        self._found = await driver.execute(_GIVE_BACK, self._values)

    @property
    def wants_factor(self) -> bool:
        """Whether an authenticator app is active, so that the password alone does not sign in."""
        return self._found is not None and self._found.rowcount == 1


@dataclass(frozen=True, slots=True)
class Opened:
    """What opening a login changed besides."""

    ended: Sequence[tuple[UUID, int]]
    """Ids and versions of the logins that it replaced."""
    device_added: bool


async def open_login(
    tx: Transaction, login: Mapping[str, Any], device: Mapping[str, Any] | None
) -> Opened | None:
    """Adds a login with its first refresh token and ends the oldest above `most`, in one round trip.

    A device is prolonged, or added if it is not known. None for a member who is not active: then nothing of
    it may be committed. The member's row is locked: of two that count at once both would find room, and one
    that a suspension overtakes would stay.
    """
    driver = await tx.driver()
    async with driver.pipeline():
        locked, ended = [await driver.execute(each, login) for each in (_LOCK, _OPEN)]
        remembered = await driver.execute(REMEMBER, device) if device is not None else None
    if locked.rowcount != 1:
        return None
    return Opened(await ended.fetchall(), remembered is not None and remembered.rowcount == 1)

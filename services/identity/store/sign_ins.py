"""The statements of a sign-in: as few as it takes, and past SQLAlchemy, which costs more than they do."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from chassis.database import Scope, Snapshot
from services.identity.models import MemberState

_OWNER = "SELECT member_id FROM wrtn_verified_addresses WHERE address_hash = %s"
_ADMIT = "SELECT set_config('wrtn.member', %s, true)"
_KNOWN = """
SELECT wrtn_members.state, wrtn_members.password_hash,
       (SELECT id FROM wrtn_accounts
        WHERE holder_member_id = %(member)s AND kind = 'PERSONAL' AND NOT inherited),
       EXISTS (SELECT FROM wrtn_known_devices
               WHERE member_id = %(member)s AND token_hash = %(device)s AND expire_time > %(now)s)
FROM (VALUES (1)) AS one LEFT JOIN wrtn_members ON wrtn_members.id = %(member)s
"""


@dataclass(frozen=True, slots=True)
class Known:
    """What signing in asks of a member; nothing of one who does not exist."""

    state: MemberState | None
    password_hash: str | None
    account_id: UUID | None
    by_device: bool
    """Whether they are known by the device token that came along."""


class SignIn:
    """Who wants to sign in, looked up alike whether or not they exist."""

    def __init__(self, tx: Snapshot) -> None:
        self._tx = tx

    async def owner_of(self, address_hash: bytes) -> UUID | None:
        """Answers who has proven the address."""
        row = await (await (await self._tx.driver()).execute(_OWNER, (address_hash,))).fetchone()
        return row[0] if row is not None else None

    async def known(self, member_id: UUID, device_hash: bytes) -> Known:
        """Answers what is known of a member, whose rows the rest of the transaction may see."""
        driver = await self._tx.driver()
        values = {"member": member_id, "device": device_hash, "now": self._tx.now}
        async with driver.pipeline():
            await driver.execute(_ADMIT, (str(member_id),))
            found = await driver.execute(_KNOWN, values)
        self._tx.scope = Scope(self._tx.scope.tenants, member_id)
        row = await found.fetchone()
        if row is None:
            raise LookupError("the query answers one row, whoever is asked for")
        state, *rest = row
        return Known(MemberState(state) if state is not None else None, *rest)

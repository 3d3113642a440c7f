"""Logins: opening one for somebody who has proven who they are, listing them, ending them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from chassis import call
from chassis.crypto import DataKey, Keyring
from chassis.database import Snapshot, Transaction
from services.identity import bearers, events
from services.identity.errors import LoginNotFound, SignInRefused
from services.identity.logins import devices
from services.identity.models import Login, LoginEnd, LoginMethod, RefreshToken
from services.identity.store import Logins, Members
from services.identity.store.sign_ins import open_login

REFRESH_LIFETIME = timedelta(days=30)
MOST = 5
"""How many logins a member may have; one more ends the oldest."""
_DEVICE = "device"
_ADDRESS = "address"
"""The context that binds a ciphertext to its column."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What somebody has proven of themselves. The connection is that of a federated sign-in."""

    methods: tuple[LoginMethod, ...]
    connection_id: UUID | None = None
    connection_tenant_id: UUID | None = None
    """The enterprise to which the connection belongs, if it is one's own."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a login is used from, as far as that is known."""

    device: str = ""
    address: str = ""

    @classmethod
    def current(cls) -> Origin:
        """Answers where the call being served comes from."""
        found = call.current()
        return cls(found.device, found.address)


@dataclass(frozen=True, slots=True)
class Acting:
    """A login after its change, and the refresh token that goes with it, in plain text."""

    member_id: UUID
    login_id: UUID
    account_id: UUID
    refresh_token: str
    refresh_expire_time: datetime
    device_token: str = ""
    """What makes the device known; there is one after a sign-in that remembers it."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A login with what its member may read of it."""

    login: Login
    origin: Origin


async def begin(
    tx: Transaction,
    keyring: Keyring,
    member_id: UUID,
    account_id: UUID,
    proof: Proof,
    origin: Origin,
    *,
    device_token: str | None = None,
) -> Acting:
    """Opens a login of the scope's member and ends the oldest above MOST; raises SignInRefused if not active.

    With a device token, an empty or unknown one too, the device is known from now on.
    """
    login_id = tx.clock.new_id()
    text = bearers.bearer(bearers.REFRESH, member_id, tx.clock)
    expire_time = tx.now + REFRESH_LIFETIME
    login = {
        "member_id": member_id,
        "id": login_id,
        "account_id": account_id,
        "methods": [str(each) for each in proof.methods],
        "connection_id": proof.connection_id,
        "connection_tenant_id": proof.connection_tenant_id,
        "expire_time": expire_time,
        "token_hash": bearers.digest(text),
        "now": tx.now,
        "most": MOST,
        "reason": LoginEnd.REPLACED,
        _DEVICE: None,
        _ADDRESS: None,
        **sealed(await keyring.key(tx, member_id), login_id, origin),
    }
    device = devices.signing_in(tx, member_id, device_token) if device_token is not None else None
    opened_ = await open_login(tx, login, device.values if device is not None else None)
    if opened_ is None:
        raise SignInRefused("Address and password do not match.")
    for ended_id, version in opened_.ended:
        events.login_ended(tx, member_id, ended_id, version)
    known_by = "" if device is None else device.made if opened_.device_added else device.came
    return Acting(member_id, login_id, account_id, text, expire_time, known_by)


def with_token(tx: Transaction, member_id: UUID, login_id: UUID, account_id: UUID, text: str) -> Acting:
    """Adds the next refresh token of the login."""
    expire_time = tx.now + REFRESH_LIFETIME
    row = RefreshToken(
        member_id=member_id,
        token_hash=bearers.digest(text),
        login_id=login_id,
        expire_time=expire_time,
        create_time=tx.now,
    )
    tx.session.add(row)
    return Acting(member_id, login_id, account_id, text, expire_time)


async def newest(
    snapshot: Snapshot, keyring: Keyring, member_id: UUID, before: tuple[datetime, UUID] | None, most: int
) -> Sequence[Seen]:
    """Answers the good logins of the scope's member, the newest first."""
    rows = await Logins(snapshot).newest(member_id, before, most, snapshot.now)
    if not rows:
        return ()
    key = await keyring.key(snapshot, member_id)
    return [Seen(row, opened(key, row.id, row.device, row.address)) for row in rows]


async def sign_out(tx: Transaction, member_id: UUID, login_id: UUID) -> None:
    """Ends a login; repeating it changes nothing."""
    await end(tx, member_id, login_id, LoginEnd.SIGNED_OUT)


async def end_one(tx: Transaction, member_id: UUID, login_id: UUID) -> None:
    """Ends a login of the member, once; raises LoginNotFound if they never had it."""
    ended = await end(tx, member_id, login_id, LoginEnd.ENDED)
    if not ended and await Logins(tx).get(member_id, login_id) is None:
        raise LoginNotFound("The login does not exist.", field="login_id")


async def end(tx: Transaction, member_id: UUID, login_id: UUID, reason: LoginEnd) -> bool:
    """Ends a login; False if it had ended before."""
    version = await Logins(tx).end(member_id, login_id, reason, tx.now)
    if version is not None:
        events.login_ended(tx, member_id, login_id, version)
    return version is not None


async def end_all(
    tx: Transaction, member_id: UUID, reason: LoginEnd, *, but: UUID | None = None
) -> Sequence[UUID]:
    """Ends the logins of the scope's member, all but one if wanted; answers which."""
    # One that is being opened is waited for, or waits.
    await Members(tx).lock_active(member_id)
    ended = await Logins(tx).end_all(member_id, but, reason, tx.now)
    for login_id, version in ended:
        events.login_ended(tx, member_id, login_id, version)
    return [login_id for login_id, _ in ended]


def sealed(key: DataKey, login_id: UUID, origin: Origin) -> dict[str, Any]:
    """Answers the columns that say where a login is used, encrypted; what is not known stays as it was."""
    values: Iterable[tuple[str, str]] = ((_DEVICE, origin.device), (_ADDRESS, origin.address))
    return {
        column: key.encrypt(value.encode(), key.owner_id, login_id, column)
        for column, value in values
        if value
    }


def opened(key: DataKey, login_id: UUID, device: bytes | None, address: bytes | None) -> Origin:
    """Decrypts what `sealed` encrypted."""
    texts = [
        key.decrypt(value, key.owner_id, login_id, column).decode() if value is not None else ""
        for column, value in ((_DEVICE, device), (_ADDRESS, address))
    ]
    return Origin(*texts)

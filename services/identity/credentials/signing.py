"""The keys that sign access tokens: made at the first start, rotated without anybody noticing.

A new key is published at once and signs after OVERLAP, when every service has fetched it; the one before is
published until the last token that it signed has expired. Keys are generations of the platform's tenant:
the primary key lets one replica of several make the next one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

import structlog
from joserfc.jwk import OKPKey
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from chassis.auth import tokens
from chassis.auth.keys import published
from chassis.auth.tokens import AccessToken
from chassis.clock import Clock
from chassis.crypto import Keyring
from chassis.database import Database, Scope, Snapshot, Transaction
from chassis.errors import DomainError
from services.identity.models import PLATFORM, SigningKey
from wrtn.identity.v1.auth_pb2 import Jwks

OVERLAP = timedelta(minutes=10)
"""Between publishing a key and signing with it; verifiers ask again every five minutes."""
_KEPT = tokens.LIFETIME + timedelta(minutes=5)
"""For how long a key is published after the next one has begun to sign."""
RELOAD = 30.0
"""Seconds after which a replica looks whether another one has rotated the keys."""
_SCOPE = Scope.of(PLATFORM)

_log = structlog.get_logger("identity.signing")


@dataclass(frozen=True, slots=True)
class Key:
    """A signing key in plain text."""

    generation: int
    kid: str
    activate_time: datetime
    pair: OKPKey


def signing(keys: Sequence[Key], now: datetime) -> Key:
    """Answers the youngest key that is active. `keys` are in the order of their generations, not empty."""
    active = [key for key in keys if key.activate_time <= now]
    return active[-1] if active else keys[0]


def good(keys: Sequence[Key], now: datetime) -> list[Key]:
    """Answers the keys whose tokens may be about or soon will be: the signing one first."""
    ends = [*(key.activate_time + _KEPT for key in keys[1:]), datetime.max.replace(tzinfo=now.tzinfo)]
    current = signing(keys, now)
    rest = (key for key, end in zip(keys, ends, strict=True) if key is not current and end > now)
    return [current, *sorted(rest, key=lambda key: -key.generation)]


class Signer:
    """Signs access tokens and publishes the public keys. The first use makes the first key."""

    def __init__(self, db: Database, keyring: Keyring, clock: Clock) -> None:
        self._db = db
        self._keyring = keyring
        self._clock = clock
        self._keys: Sequence[Key] = ()
        self._loaded = float("-inf")
        self._loading = asyncio.Lock()

    async def issue(self, token: AccessToken) -> tuple[str, datetime]:
        """Answers the signed token and when it expires."""
        key = signing(await self._current(), self._clock.now())
        expires = self._clock.now().replace(microsecond=0) + tokens.LIFETIME
        return tokens.issue(token, key.pair, key.kid, self._clock), expires

    async def jwks(self) -> Jwks:
        """Answers the public keys, the signing one first."""
        keys = good(await self._current(), self._clock.now())
        return published({key.kid: key.pair for key in keys})

    async def rotate(self) -> str:
        """Adds the next generation and answers its key id; one that does not sign yet is the next already.

        Of two who rotate at once, one adds it.
        """
        async with self._db.transaction(_SCOPE) as tx:
            keys = await _read(tx, self._keyring)
            if keys and keys[-1].activate_time <= tx.now:
                await self._add(tx, keys[-1].generation + 1, tx.now + OVERLAP)
        return (await self._begin())[-1].kid

    async def _begin(self) -> Sequence[Key]:
        """Answers the keys; where there are none, of replicas that start at once one makes the first."""
        async with self._db.transaction(_SCOPE) as tx:
            keys = await _read(tx, self._keyring)
            if not keys:
                await self._add(tx, 1, tx.now)
                keys = await _read(tx, self._keyring)
        # Only what is committed may sign.
        self._keys = keys
        return keys

    async def _current(self) -> Sequence[Key]:
        if monotonic() - self._loaded > RELOAD:
            async with self._loading:
                if monotonic() - self._loaded > RELOAD:
                    await self._load()
        return self._keys

    async def _load(self) -> None:
        """Reads the keys. While the database does not answer, those at hand stay good."""
        try:
            async with self._db.snapshot(_SCOPE) as snapshot:
                keys = await _read(snapshot, self._keyring)
            if keys:
                self._keys = keys
            else:
                await self._begin()
        except DomainError as error:
            if not self._keys:
                raise
            _log.warning("the signing keys cannot be read", error=type(error).__name__)
        self._loaded = monotonic()

    async def _add(self, tx: Transaction, generation: int, activate_time: datetime) -> None:
        pair = OKPKey.generate_key("Ed25519")
        halves = pair.as_dict(private=True)
        kid = tx.clock.secret(12)
        key = await self._keyring.key(tx, PLATFORM)
        row = {
            "tenant_id": PLATFORM,
            "generation": generation,
            "kid": kid,
            "public_key": str(halves["x"]),
            "private_key": key.encrypt(str(halves["d"]).encode(), PLATFORM, kid),
            "activate_time": activate_time,
            "create_time": tx.now,
        }
        await tx.session.execute(insert(SigningKey).values(row).on_conflict_do_nothing())


async def _read(snapshot: Snapshot, keyring: Keyring) -> list[Key]:
    query = select(SigningKey).where(SigningKey.tenant_id == PLATFORM).order_by(SigningKey.generation)
    rows = (await snapshot.session.scalars(query)).all()
    if not rows:
        return []
    key = await keyring.key(snapshot, PLATFORM)
    found = []
    for row in rows:
        jwk: dict[str, Any] = {"kty": "OKP", "crv": "Ed25519", "x": row.public_key}
        jwk["d"] = key.decrypt(row.private_key, PLATFORM, row.kid).decode()
        found.append(Key(row.generation, row.kid, row.activate_time, OKPKey.import_key(jwk)))
    return found

"""The data keys of all owners, wrapped by a key-encryption key (KEK) that the database never sees.

The key file holds KEKs, 32 bytes in base64 a line. The first wraps; the others only unwrap, until every
data key was wrapped anew (`rewrap`). The last line also makes the lookup hashes, so it stays until these
were computed again.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from chassis.crypto.data_key import NONCE_BYTES, DataKey, bound
from chassis.database.transactions import Snapshot, Transaction

KEY_BYTES = 32
_ID_BYTES = 4

_SELECT = "SELECT version, wrapped_key FROM wrtn_data_keys WHERE owner_id = %s"
_INSERT = (
    "INSERT INTO wrtn_data_keys (owner_id, version, wrapped_key) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING"
)
_DESTROY = """
INSERT INTO wrtn_data_keys (owner_id, version, destroy_time) VALUES (%(owner)s, 1, clock_timestamp())
ON CONFLICT (owner_id, version) DO NOTHING
"""
_ERASE = """
UPDATE wrtn_data_keys SET wrapped_key = NULL, destroy_time = clock_timestamp()
WHERE owner_id = %(owner)s AND destroy_time IS NULL
"""


class KeyDestroyed(Exception):
    """The owner was erased: what was under the key can never be read again, nor anything added."""


class KeyMissing(Exception):
    """The owner has no key, or it is out of the scope of this transaction: nothing can be under it here."""


class KeyFileWrong(Exception):
    """The key file is no list of keys. The message never holds any of it."""


class Keyring:
    """Gives out data keys, and keeps them in memory for `ttl` seconds after they were read.

    A key destroyed by another replica is gone from this one after that time at the latest.
    """

    def __init__(self, kek: bytes, *older: bytes, ttl: float = 60.0) -> None:
        keks = (kek, *older)
        if any(len(each) != KEY_BYTES for each in keks):
            raise KeyFileWrong(f"a key-encryption key has {KEY_BYTES} bytes")
        self._wrapper = _name(kek)
        self._keks = {_name(each): AESGCM(each) for each in keks}
        self._lookup_key = hmac.digest(keks[-1], b"wrtn lookup", "sha256")
        self._ttl = ttl
        self._cache: dict[UUID, tuple[float, DataKey]] = {}

    @classmethod
    def from_file(cls, path: Path) -> Keyring:
        """Reads the key file. Raises KeyFileWrong, or OSError if it cannot be read."""
        try:
            keks = [base64.b64decode(line, validate=True) for line in path.read_text().split()]
        except (binascii.Error, UnicodeDecodeError) as error:
            raise KeyFileWrong(f"{path} holds a line that is no base64") from error
        if not keks:
            raise KeyFileWrong(f"{path} is empty")
        return cls(*keks)

    async def key(self, tx: Snapshot, owner_id: UUID) -> DataKey:
        """Answers the owner's key; in a Transaction the first use creates it.

        The owner must be a tenant or the member of the transaction's scope. Raises KeyDestroyed, and
        KeyMissing where there is none and none can be created.
        """
        # Row level security says the same; a key from the cache does not pass by there.
        if owner_id not in tx.scope.tenants and owner_id != tx.scope.member_id:
            raise KeyMissing("the owner is not in the scope of this transaction")
        until, known = self._cache.get(owner_id, (0.0, None))
        if known is not None and time.monotonic() < until:
            return known
        return await self._load(tx, owner_id)

    async def rotate(self, tx: Transaction, owner_id: UUID) -> DataKey:
        """Adds a version that seals from now on; the older ones still open what they sealed."""
        versions = await self._read(tx, owner_id)
        await self._create(tx, owner_id, max(versions, default=0) + 1)
        self._forget(tx, owner_id)
        return DataKey(owner_id, await self._read(tx, owner_id))

    async def rewrap(self, tx: Transaction, owner_id: UUID) -> None:
        """Wraps the owner's key with the first KEK, so that an older one can be retired."""
        driver = await tx.driver()
        for version, key in (await self._read(tx, owner_id)).items():
            await driver.execute(
                "UPDATE wrtn_data_keys SET wrapped_key = %s WHERE owner_id = %s AND version = %s",
                (self._wrap(owner_id, version, key), owner_id, version),
            )

    async def destroy(self, tx: Transaction, owner_id: UUID) -> None:
        """Destroys all versions of the owner's key, for good; the owner never gets another. Idempotent."""
        driver = await tx.driver()
        await driver.execute(_DESTROY, {"owner": owner_id})
        await driver.execute(_ERASE, {"owner": owner_id})
        self._forget(tx, owner_id)

    def lookup(self, purpose: str, value: str) -> bytes:
        """Answers the keyed hash (HMAC-SHA256) by which an encrypted value is found, apart by purpose."""
        return hmac.digest(self._lookup_key, bound(purpose, value), "sha256")

    async def _load(self, tx: Snapshot, owner_id: UUID) -> DataKey:
        versions = await self._read(tx, owner_id)
        if not versions:
            if not isinstance(tx, Transaction):
                raise KeyMissing("the owner has no key yet")
            await self._create(tx, owner_id, 1)
            # Of two that create at the same time one waits, and reads what the other wrote.
            versions = await self._read(tx, owner_id)
        key = DataKey(owner_id, versions)
        until = time.monotonic() + self._ttl
        if isinstance(tx, Transaction):
            # What this transaction read may be its own, and be rolled back with it.
            tx.after_commit(lambda: self._remember(key, until))
        else:
            self._remember(key, until)
        return key

    async def _read(self, tx: Snapshot, owner_id: UUID) -> Mapping[int, bytes]:
        rows = await (await (await tx.driver()).execute(_SELECT, (owner_id,))).fetchall()
        if any(wrapped is None for _, wrapped in rows):
            raise KeyDestroyed("the owner's key was destroyed")
        return {version: self._unwrap(owner_id, version, wrapped) for version, wrapped in rows}

    async def _create(self, tx: Transaction, owner_id: UUID, version: int) -> None:
        row: tuple[Any, ...] = (owner_id, version, self._wrap(owner_id, version, os.urandom(KEY_BYTES)))
        await (await tx.driver()).execute(_INSERT, row)

    def _remember(self, key: DataKey, until: float) -> None:
        self._cache[key.owner_id] = (until, key)

    def _forget(self, tx: Transaction, owner_id: UUID) -> None:
        self._cache.pop(owner_id, None)
        tx.after_commit(lambda: self._cache.pop(owner_id, None) and None)

    def _wrap(self, owner_id: UUID, version: int, key: bytes) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        sealed = self._keks[self._wrapper].encrypt(nonce, key, bound(owner_id, str(version)))
        return self._wrapper + nonce + sealed

    def _unwrap(self, owner_id: UUID, version: int, wrapped: bytes) -> bytes:
        name, nonce = wrapped[:_ID_BYTES], wrapped[_ID_BYTES : _ID_BYTES + NONCE_BYTES]
        kek = self._keks.get(name)
        if kek is None:
            raise KeyFileWrong("a data key is wrapped by a key-encryption key that the key file lacks")
        try:
            return kek.decrypt(nonce, wrapped[_ID_BYTES + NONCE_BYTES :], bound(owner_id, str(version)))
        except InvalidTag as error:
            raise KeyFileWrong("a wrapped data key was altered or moved to another owner") from error


def _name(kek: bytes) -> bytes:
    """A short name of a KEK that tells nothing of it."""
    return hashlib.sha256(b"wrtn key-encryption key" + kek).digest()[:_ID_BYTES]

"""One owner's key, in all its versions: AES-256-GCM, each value bound to the place where it stands.

A ciphertext is: format (1 byte), key version (4 bytes), nonce (12 bytes), then the sealed value with its
16-byte tag. The nonce is random: rotate a key before it has sealed 2**32 values (NIST SP 800-38D).
"""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

FORMAT = 1
NONCE_BYTES = 12
_HEADER = struct.Struct(">BI")
_BODY = _HEADER.size + NONCE_BYTES


class DecryptionFailed(Exception):
    """The bytes were not sealed by this key for this place: altered, moved, or of another owner."""


class DataKey:
    """The key of one owner (a member, a personal account or an enterprise). The newest version seals."""

    def __init__(self, owner_id: UUID, versions: Mapping[int, bytes]) -> None:
        self.owner_id = owner_id
        self._newest = max(versions)
        self._ciphers = {version: AESGCM(key) for version, key in versions.items()}

    def encrypt(self, plaintext: bytes, *context: UUID | str) -> bytes:
        """Seals a value for one place. `context` names it, as in ("wrtn_histories.body", tenant_id, id).

        The owner is always part of it. The value can be read only with the same context.
        """
        header = _HEADER.pack(FORMAT, self._newest)
        nonce = os.urandom(NONCE_BYTES)
        sealed = self._ciphers[self._newest].encrypt(nonce, plaintext, self._bound_to(header, context))
        return header + nonce + sealed

    def decrypt(self, ciphertext: bytes, *context: UUID | str) -> bytes:
        """Opens a value. Raises DecryptionFailed if it was not sealed for this owner and context."""
        header, nonce = ciphertext[: _HEADER.size], ciphertext[_HEADER.size : _BODY]
        if len(nonce) < NONCE_BYTES:
            raise DecryptionFailed("too short")
        written, version = _HEADER.unpack(header)
        cipher = self._ciphers.get(version)
        if written != FORMAT or cipher is None:
            raise DecryptionFailed(f"format {written} or key version {version} is not known")
        try:
            return cipher.decrypt(nonce, ciphertext[_BODY:], self._bound_to(header, context))
        except InvalidTag as error:
            raise DecryptionFailed("altered, moved, or of another owner") from error

    def _bound_to(self, header: bytes, context: tuple[UUID | str, ...]) -> bytes:
        return header + bound(self.owner_id, *context)


def bound(*parts: UUID | str) -> bytes:
    """Writes the parts with their lengths, so that no two different lists give the same bytes."""
    written = [part.bytes if isinstance(part, UUID) else part.encode() for part in parts]
    return b"".join(struct.pack(">I", len(part)) + part for part in written)

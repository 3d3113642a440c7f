"""The small picture of a member, under the member's key."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from chassis import images
from chassis.crypto import DataKey, Keyring
from chassis.database import Snapshot, Transaction
from services.identity.errors import AvatarNotFound, AvatarTooLarge, AvatarTypeUnsupported
from services.identity.models import Avatar
from services.identity.store import Avatars

_IMAGE = "wrtn_avatars.image"
"""The context that binds a ciphertext to its column."""


@dataclass(frozen=True, slots=True)
class Shown:
    """An avatar with its image, or without."""

    row: Avatar
    image: bytes = b""


async def put(tx: Transaction, keyring: Keyring, member_id: UUID, image: bytes) -> Shown:
    """Sets the avatar of the scope's member, in place of the one before.

    Raises AvatarTypeUnsupported and AvatarTooLarge.
    """
    found = images.read(image)
    if found is None:
        raise AvatarTypeUnsupported("An avatar is a PNG, JPEG or WebP image.", field="image")
    if not found.small:
        most = images.MOST_PIXELS
        raise AvatarTooLarge(f"An avatar is {most} pixels wide and high at most.", field="image")
    key = await keyring.key(tx, member_id)
    sealed = key.encrypt(image, _IMAGE, member_id)
    return Shown(await Avatars(tx, member_id).put(found.media_type, sealed, tx.now))


async def get(snapshot: Snapshot, keyring: Keyring, member_id: UUID) -> Shown:
    """Answers the avatar of the scope's member with its image; raises AvatarNotFound."""
    row = await Avatars(snapshot, member_id).get()
    if row is None:
        raise AvatarNotFound("The member has no avatar.", field="member_id")
    return Shown(row, opened(await keyring.key(snapshot, member_id), row.image))


def opened(key: DataKey, image: bytes) -> bytes:
    """Decrypts the image of the key's owner."""
    return key.decrypt(image, _IMAGE, key.owner_id)

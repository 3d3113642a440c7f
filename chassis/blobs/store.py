"""Blobs by name, under the prefix of their service, in what WRTN_BLOB_URL names."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, NotFoundError
from obstore.store import LocalStore, ObjectStore, from_url

from chassis.blobs import pieces
from chassis.crypto import DataKey
from chassis.errors import InvalidArgument, NotFound, Unavailable
from chassis.settings import SettingsError

_AWAY = (BaseError, FileNotFoundError)
"""What obstore raises when the store does not answer, or the bucket is not there."""


class BlobMissing(NotFound):
    """There is no such blob, or no more."""

    reason = "BLOB_MISSING"


class BlobTooLarge(InvalidArgument):
    """The content is larger than it may be; nothing of it was kept."""

    reason = "BLOB_TOO_LARGE"


class BlobsUnavailable(Unavailable):
    """The object store does not answer."""

    reason = "BLOBS_UNAVAILABLE"


@dataclass(frozen=True, slots=True)
class Blob:
    """What was put: the size and SHA-256 of the plain content."""

    name: str
    size: int
    sha256: bytes


class Blobs:
    """The blobs of one service. `url` is file:///folder, s3://bucket/path, or what else obstore knows.

    Credentials of an object store come from its own environment variables (AWS_ACCESS_KEY_ID ...).
    Raises SettingsError for a URL that names none.
    """

    def __init__(self, url: str, service: str) -> None:
        self._service = service
        self._store = _store(url)

    async def put(self, name: str, parts: AsyncIterator[bytes], *, key: DataKey, most: int) -> Blob:
        """Stores a stream, encrypted, in place of what had the name; at most `most` bytes.

        A failure leaves what was there before. Raises BlobTooLarge and BlobsUnavailable.
        """
        measured = _Measured(parts, most)
        try:
            await obstore.put_async(
                self._store, self._path(name), pieces.sealed(measured.read(), key, self._path(name))
            )
        except _AWAY as error:
            raise BlobsUnavailable("The store of files does not answer.", retry_after=5) from error
        return Blob(name, measured.size, measured.digest.digest())

    async def get(self, name: str, *, key: DataKey) -> AsyncIterator[bytes]:
        """Yields the content. Raises BlobMissing, BlobsUnavailable, and DecryptionFailed for altered ones."""
        try:
            found = await obstore.get_async(self._store, self._path(name))
        except (NotFoundError, FileNotFoundError) as error:
            raise BlobMissing("The file does not exist any more.") from error
        except BaseError as error:
            raise BlobsUnavailable("The store of files does not answer.", retry_after=5) from error

        async def parts() -> AsyncIterator[bytes]:
            async for part in found.stream(min_chunk_size=pieces.SEALED):
                yield bytes(part)

        async for piece in pieces.opened(parts(), key, self._path(name)):
            yield piece

    async def delete(self, name: str) -> None:
        """Deletes the blob, if it is there."""
        try:
            await obstore.delete_async(self._store, self._path(name))
        except (NotFoundError, FileNotFoundError):
            return
        except BaseError as error:
            raise BlobsUnavailable("The store of files does not answer.", retry_after=5) from error

    async def names(self, folder: str) -> AsyncIterator[str]:
        """Yields the names of the blobs in the folder and below. Raises BlobsUnavailable."""
        try:
            async for page in obstore.list(self._store, self._path(folder)):
                for each in page:
                    yield each["path"].removeprefix(self._path(""))
        except _AWAY as error:
            raise BlobsUnavailable("The store of files does not answer.", retry_after=5) from error

    async def note(self, name: str, text: bytes) -> None:
        """Keeps a small file in plain text, for good: one that is there already stays as it is."""
        try:
            await obstore.put_async(self._store, self._path(name), text, mode="create")
        except (AlreadyExistsError, FileExistsError):
            return
        except _AWAY as error:
            raise BlobsUnavailable("The store of files does not answer.", retry_after=5) from error

    async def notes(self, folder: str) -> AsyncIterator[bytes]:
        """Yields what `note` has kept in the folder."""
        async for page in obstore.list(self._store, self._path(folder)):
            for each in page:
                yield bytes(await (await obstore.get_async(self._store, each["path"])).bytes_async())

    def _path(self, name: str) -> str:
        return f"{self._service}/{name}"


class _Measured:
    """A stream that is counted and hashed as it passes, and refused when it is too long."""

    def __init__(self, parts: AsyncIterator[bytes], most: int) -> None:
        self._parts = parts
        self._most = most
        self.size = 0
        self.digest = hashlib.sha256()

    async def read(self) -> AsyncIterator[bytes]:
        async for part in self._parts:
            self.size += len(part)
            if self.size > self._most:
                raise BlobTooLarge(f"The content is larger than {self._most} bytes.")
            self.digest.update(part)
            yield part


def _store(url: str) -> ObjectStore:
    parts = urlsplit(url)
    try:
        if parts.scheme == "file":
            return LocalStore(Path(unquote(parts.path)), mkdir=True)
        return from_url(url)
    except (BaseError, ValueError, OSError) as error:
        raise SettingsError(["WRTN_BLOB_URL names no place where files can be kept"]) from error

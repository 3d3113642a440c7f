"""A ZIP file written as a stream: nothing of it is held but what was not read yet."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TypedDict


class Entry(TypedDict):
    """A document of the archive."""

    service: str
    document: str
    size: int
    sha256: str


Read = Callable[[Entry], AsyncIterator[bytes]]


def name_of(entry: Entry) -> str:
    """Answers the file's name."""
    return f"{entry['service']}/{entry['document']}.jsonl"


async def zipped(entries: Sequence[Entry], read: Read) -> AsyncIterator[bytes]:
    """Yields the archive: an index, then each document."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(_file("index.json"), _index(entries))
        yield sink.taken()
        for entry in entries:
            with archive.open(_file(name_of(entry)), "w", force_zip64=True) as file:
                async for part in read(entry):
                    file.write(part)
                    if data := sink.taken():
                        yield data
        yield sink.taken()
    yield sink.taken()


def _index(entries: Sequence[Entry]) -> bytes:
    listed = [{"file": name_of(each), "size": each["size"], "sha256": each["sha256"]} for each in entries]
    return json.dumps({"documents": listed}, indent=1).encode()


def _file(name: str) -> zipfile.ZipInfo:
    # Without a time of ours: the same data is the same archive.
    made = zipfile.ZipInfo(name)
    made.compress_type = zipfile.ZIP_DEFLATED
    return made


class _Sink(io.RawIOBase):
    """Takes what is written, and cannot be moved in: zipfile then writes sizes after the data."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def write(self, data: object, /) -> int:
        part = bytes(data)  # type: ignore[call-overload]
        self._parts.append(part)
        return len(part)

    def taken(self) -> bytes:
        """Answers what was written since it was asked last."""
        parts, self._parts = self._parts, []
        return b"".join(parts)


def digest(data: bytes) -> str:
    """Answers the SHA-256 in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()

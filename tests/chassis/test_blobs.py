"""Blobs: streamed, bounded, encrypted piece by piece, and refused when anything in them was altered."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from chassis.blobs import BlobMissing, Blobs, BlobTooLarge
from chassis.blobs.pieces import PIECE, SEALED
from chassis.blobs.store import BlobsUnavailable
from chassis.clock import Clock
from chassis.crypto import DataKey, DecryptionFailed
from chassis.settings import SettingsError
from chassis.testing.waiting import until

MEBIBYTE = 1024 * 1024


@pytest.fixture
def key() -> DataKey:
    return DataKey(Clock().new_id(), {1: os.urandom(32)})


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path.as_uri(), "sample")


async def stream(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


def files(folder: Path) -> list[Path]:
    return [each for each in folder.rglob("*") if each.is_file()]


async def content(blobs: Blobs, name: str, key: DataKey) -> bytes:
    return b"".join([part async for part in blobs.get(name, key=key)])


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 7])
async def test_what_was_put_is_got_again(blobs: Blobs, key: DataKey, size: int) -> None:
    data = os.urandom(size)
    half = size // 2
    put = await blobs.put("a/b", stream(data[:half], data[half:]), key=key, most=MEBIBYTE)
    assert (put.size, put.sha256) == (size, hashlib.sha256(data).digest())
    assert await content(blobs, "a/b", key) == data


async def test_what_lies_on_the_disk_is_encrypted_and_under_the_services_prefix(
    blobs: Blobs, key: DataKey, tmp_path: Path
) -> None:
    await blobs.put("a", stream(b"Ann was here"), key=key, most=MEBIBYTE)
    (file,) = files(tmp_path)
    assert file.relative_to(tmp_path) == Path("sample/a")
    assert b"Ann" not in file.read_bytes()


async def test_content_above_the_bound_is_refused_and_nothing_is_kept(
    blobs: Blobs, key: DataKey, tmp_path: Path
) -> None:
    await blobs.put("kept", stream(b"before"), key=key, most=10)
    for name in ("kept", "new"):
        with pytest.raises(BlobTooLarge):
            await blobs.put(name, stream(*[bytes(PIECE)] * 40), key=key, most=39 * PIECE)
    assert await content(blobs, "kept", key) == b"before"
    assert [each.name for each in files(tmp_path)] == ["kept"]


async def test_a_blob_that_is_not_there_is_missing_and_deleted_twice_in_peace(
    blobs: Blobs, key: DataKey
) -> None:
    await blobs.put("a", stream(b"x"), key=key, most=10)
    await blobs.delete("a")
    await blobs.delete("a")
    with pytest.raises(BlobMissing):
        await content(blobs, "a", key)


async def test_altered_cut_off_moved_and_foreign_content_does_not_open(
    blobs: Blobs, key: DataKey, tmp_path: Path
) -> None:
    data = os.urandom(3 * PIECE)
    await blobs.put("a", stream(data), key=key, most=MEBIBYTE)
    file = tmp_path / "sample" / "a"
    good = file.read_bytes()
    one, two, three = good[:SEALED], good[SEALED : 2 * SEALED], good[2 * SEALED :]
    for bad in (
        one,
        one + two,
        two + one + three,
        one + three,
        good[:-1],
        b"",
        bytes([good[0] ^ 1]) + good[1:],
    ):
        file.write_bytes(bad)
        with pytest.raises(DecryptionFailed):
            await content(blobs, "a", key)
    file.write_bytes(good)
    file.rename(tmp_path / "sample" / "b")
    with pytest.raises(DecryptionFailed):
        await content(blobs, "b", key)
    await blobs.put("a", stream(data), key=key, most=MEBIBYTE)
    with pytest.raises(DecryptionFailed):
        await content(blobs, "a", DataKey(key.owner_id, {1: os.urandom(32)}))


async def test_memory_stays_flat_whatever_the_size(blobs: Blobs, key: DataKey) -> None:
    async def large() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield bytes(MEBIBYTE)

    tracemalloc.start()
    await blobs.put("large", large(), key=key, most=65 * MEBIBYTE)
    size = 0
    async for part in blobs.get("large", key=key):
        size += len(part)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size == 64 * MEBIBYTE
    assert peak < 40 * MEBIBYTE


def test_a_url_that_names_no_store_is_refused() -> None:
    for url in ("nowhere", "ftp://x/y"):
        with pytest.raises(SettingsError):
            Blobs(url, "sample")


@pytest.fixture(scope="module")
def store() -> Iterator[str]:
    """The address of a process that speaks S3."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        yield f"http://127.0.0.1:{port}"
        process.terminate()


@pytest_asyncio.fixture
async def bucket(store: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a bucket in it; what else is needed stands where S3's own tools look for it."""

    async def made() -> bool:
        async with httpx.AsyncClient(trust_env=False) as client:
            try:
                return (await client.put(f"{store}/files")).is_success
            except httpx.TransportError:
                return False

    await until(made, 60)
    monkeypatch.setenv("AWS_ENDPOINT_URL", store)
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    return "s3://files/wrtn"


async def test_an_object_store_keeps_what_a_folder_does(bucket: str, store: str, key: DataKey) -> None:
    blobs = Blobs(bucket, "sample")
    data = os.urandom(12 * MEBIBYTE)
    put = await blobs.put("a/b", stream(data[:5], data[5:]), key=key, most=len(data))
    assert (put.size, put.sha256) == (len(data), hashlib.sha256(data).digest())
    assert await content(blobs, "a/b", key) == data
    with pytest.raises(BlobTooLarge):
        await blobs.put("a/b", stream(data, b"!"), key=key, most=len(data))
    assert await content(blobs, "a/b", key) == data, "a failure leaves what was there"
    await blobs.put("a/c", stream(b"Ann was here"), key=key, most=MEBIBYTE)
    assert [each async for each in blobs.names("a")] == ["a/b", "a/c"]
    async with httpx.AsyncClient(trust_env=False) as client:
        kept = await client.get(f"{store}/files/wrtn/sample/a/c")
        assert kept.status_code == 200
        assert b"Ann" not in kept.content
    await blobs.delete("a/b")
    await blobs.delete("a/b")
    with pytest.raises(BlobMissing):
        await content(blobs, "a/b", key)
    await blobs.note("notes/1", b"first")
    await blobs.note("notes/1", b"second")
    assert [each async for each in blobs.notes("notes")] == [b"first"]
    with pytest.raises(BlobsUnavailable):
        await Blobs("s3://no-such-bucket/wrtn", "sample").put("a", stream(b"x"), key=key, most=1)

"""Envelope encryption: a value opens only where it was sealed, and never once its key is destroyed."""

from __future__ import annotations

import asyncio
import base64
import os
from pathlib import Path
from uuid import UUID

import pytest

from chassis.clock import Clock
from chassis.crypto import DataKey, DecryptionFailed, KeyDestroyed, KeyMissing, Keyring
from chassis.crypto.keyring import KeyFileWrong
from chassis.database import Database, Scope
from chassis.testing.databases import ServiceDatabase

NEW = Clock().new_id
PLACE = "wrtn_notes.body"


def fresh() -> Keyring:
    return Keyring(os.urandom(32))


async def key_of(db: Database, keyring: Keyring, owner: UUID) -> DataKey:
    async with db.transaction(Scope.of(owner)) as tx:
        return await keyring.key(tx, owner)


@pytest.fixture
def db(service_database: ServiceDatabase) -> Database:
    return service_database.app


def test_a_value_opens_where_it_was_sealed_and_is_unlike_itself_each_time() -> None:
    key, row = DataKey(NEW(), {1: os.urandom(32)}), NEW()
    one, two = key.encrypt(b"secret", PLACE, row), key.encrypt(b"secret", PLACE, row)
    assert one != two
    assert b"secret" not in one
    assert key.decrypt(one, PLACE, row) == key.decrypt(two, PLACE, row) == b"secret"


def test_a_value_moved_to_another_row_column_or_owner_does_not_open() -> None:
    secret, owner, row = os.urandom(32), NEW(), NEW()
    sealed = DataKey(owner, {1: secret}).encrypt(b"secret", PLACE, row)
    for key, context in (
        (DataKey(owner, {1: secret}), (PLACE, NEW())),
        (DataKey(owner, {1: secret}), ("wrtn_notes.title", row)),
        (DataKey(owner, {1: secret}), (PLACE,)),
        (DataKey(NEW(), {1: secret}), (PLACE, row)),
        (DataKey(owner, {1: os.urandom(32)}), (PLACE, row)),
        (DataKey(owner, {2: secret}), (PLACE, row)),
    ):
        with pytest.raises(DecryptionFailed):
            key.decrypt(sealed, *context)


def test_an_altered_value_does_not_open() -> None:
    key = DataKey(NEW(), {1: os.urandom(32), 2: os.urandom(32)})
    sealed = key.encrypt(b"secret", PLACE)
    for index in range(len(sealed)):
        altered = sealed[:index] + bytes([sealed[index] ^ 1]) + sealed[index + 1 :]
        with pytest.raises(DecryptionFailed):
            key.decrypt(altered, PLACE)
    for length in (0, 1, 16, 20, len(sealed) - 1):
        with pytest.raises(DecryptionFailed):
            key.decrypt(sealed[:length], PLACE)


def test_no_two_contexts_are_the_same() -> None:
    key = DataKey(NEW(), {1: os.urandom(32)})
    with pytest.raises(DecryptionFailed):
        key.decrypt(key.encrypt(b"", "ab", "c"), "a", "bc")


async def test_the_first_use_creates_the_key_and_everyone_gets_the_same(db: Database) -> None:
    kek, owner = os.urandom(32), NEW()
    keys = await asyncio.gather(*[key_of(db, Keyring(kek), owner) for _ in range(5)])
    sealed = keys[0].encrypt(b"shared", PLACE)
    assert {key.decrypt(sealed, PLACE) for key in keys} == {b"shared"}


async def test_a_key_that_was_rolled_back_is_not_remembered(db: Database) -> None:
    keyring, owner = fresh(), NEW()

    async def fail() -> None:
        async with db.transaction(Scope.of(owner)) as tx:
            lost.append(await keyring.key(tx, owner))
            raise KeyError

    lost: list[DataKey] = []
    with pytest.raises(KeyError):
        await fail()
    kept = await key_of(db, keyring, owner)
    with pytest.raises(DecryptionFailed):
        kept.decrypt(lost[0].encrypt(b"", PLACE), PLACE)


async def test_a_key_out_of_scope_is_not_given_out_also_from_the_cache(db: Database) -> None:
    keyring, owner, member = fresh(), NEW(), NEW()
    await key_of(db, keyring, owner)
    async with db.transaction(Scope.of(NEW(), member_id=member)) as tx:
        with pytest.raises(KeyMissing):
            await keyring.key(tx, owner)
        await keyring.key(tx, member)


async def test_the_database_hides_the_keys_of_other_owners(db: Database) -> None:
    owner = NEW()
    await key_of(db, fresh(), owner)
    async with db.snapshot(Scope.of(NEW())) as tx:
        rows = await (await (await tx.driver()).execute("SELECT * FROM wrtn_data_keys")).fetchall()
    assert rows == []


async def test_a_snapshot_creates_no_key(db: Database) -> None:
    owner = NEW()
    async with db.snapshot(Scope.of(owner)) as tx:
        with pytest.raises(KeyMissing):
            await fresh().key(tx, owner)


async def test_a_destroyed_key_is_gone_for_good(db: Database) -> None:
    keyring, owner = fresh(), NEW()
    await key_of(db, keyring, owner)
    async with db.transaction(Scope.of(owner)) as tx:
        await keyring.destroy(tx, owner)
    for each in (keyring, fresh()):
        with pytest.raises(KeyDestroyed):
            await key_of(db, each, owner)
    async with db.snapshot(Scope.of(owner)) as tx:
        row = await (await (await tx.driver()).execute("SELECT wrapped_key FROM wrtn_data_keys")).fetchone()
    assert row == (None,)


async def test_an_owner_erased_before_the_first_use_never_gets_a_key(db: Database) -> None:
    keyring, owner = fresh(), NEW()
    async with db.transaction(Scope.of(owner)) as tx:
        await keyring.destroy(tx, owner)
    with pytest.raises(KeyDestroyed):
        await key_of(db, keyring, owner)


async def test_a_key_destroyed_elsewhere_is_gone_after_the_ttl(db: Database) -> None:
    kek, owner = os.urandom(32), NEW()
    here, there = Keyring(kek, ttl=0), Keyring(kek)
    await key_of(db, here, owner)
    async with db.transaction(Scope.of(owner)) as tx:
        await there.destroy(tx, owner)
    with pytest.raises(KeyDestroyed):
        await key_of(db, here, owner)


async def test_a_rotated_key_still_opens_what_it_sealed_before(db: Database) -> None:
    keyring, owner = fresh(), NEW()
    old = (await key_of(db, keyring, owner)).encrypt(b"old", PLACE)
    async with db.transaction(Scope.of(owner)) as tx:
        await keyring.rotate(tx, owner)
    key = await key_of(db, keyring, owner)
    new = key.encrypt(b"new", PLACE)
    assert (key.decrypt(old, PLACE), key.decrypt(new, PLACE)) == (b"old", b"new")
    assert old[:5] != new[:5]


async def test_the_key_encryption_key_is_rotated_without_downtime(db: Database) -> None:
    old, new, owner = os.urandom(32), os.urandom(32), NEW()
    sealed = (await key_of(db, Keyring(old), owner)).encrypt(b"kept", PLACE)
    both = Keyring(new, old)
    assert (await key_of(db, both, owner)).decrypt(sealed, PLACE) == b"kept"
    with pytest.raises(KeyFileWrong):
        await key_of(db, Keyring(new), owner)
    async with db.transaction(Scope.of(owner)) as tx:
        await both.rewrap(tx, owner)
    assert (await key_of(db, Keyring(new), owner)).decrypt(sealed, PLACE) == b"kept"
    assert both.lookup("email", "a@b.example") == Keyring(old).lookup("email", "a@b.example")


def test_lookups_are_apart_by_purpose_value_and_key() -> None:
    kek = os.urandom(32)
    found = Keyring(kek).lookup("email", "a@b.example")
    assert found == Keyring(kek).lookup("email", "a@b.example")
    others = {Keyring(kek).lookup("mail", "a@b.example"), Keyring(kek).lookup("email", "b@b.example")}
    assert found not in others | {fresh().lookup("email", "a@b.example")}


@pytest.mark.parametrize("content", ["", "not base64!", base64.b64encode(b"short").decode()])
def test_a_wrong_key_file_is_refused_without_showing_it(tmp_path: Path, content: str) -> None:
    file = tmp_path / "keys"
    file.write_text(content)
    with pytest.raises(KeyFileWrong) as refused:
        Keyring.from_file(file)
    assert not content or content not in str(refused.value)


def test_the_key_file_may_hold_several_keys(tmp_path: Path) -> None:
    file, keks = tmp_path / "keys", [os.urandom(32), os.urandom(32)]
    file.write_text("\n".join(base64.b64encode(each).decode() for each in keks) + "\n")
    assert Keyring.from_file(file).lookup("email", "x") == Keyring(*keks).lookup("email", "x")

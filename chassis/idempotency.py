"""Doing a call once, however often it is sent: `once` runs the use case and keeps its answer for replays.

The key is the request's `request_id`, or the call's `Idempotency-Key`. The answer is kept for 24 hours,
sealed under a key that only the request itself yields: the stored row names neither.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import timedelta
from typing import TypeVar, cast

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from google.protobuf.any_pb2 import Any
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.descriptor_pool import Default
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from chassis.call import Call, audited, current_or_none
from chassis.database import Database, Scope, Snapshot, Transaction
from chassis.errors import InvalidArgument

KEPT = timedelta(hours=24)
"""How long an answer can be replayed; after that the same key is a new call."""

_NONCE_BYTES = 12
_CLAIM = """
INSERT INTO wrtn_idempotency_keys (owner, method, key, request_hash) VALUES (%s, %s, %s, %s)
ON CONFLICT (owner, method, key) DO UPDATE SET request_hash = excluded.request_hash, response = NULL,
    create_time = clock_timestamp()
WHERE wrtn_idempotency_keys.create_time < clock_timestamp() - %s
"""
_READ = (
    "SELECT request_hash, response FROM wrtn_idempotency_keys WHERE owner = %s AND method = %s AND key = %s"
)
_FIND = (
    "SELECT response FROM wrtn_idempotency_keys WHERE owner = %s AND method = %s AND key = %s"
    " AND request_hash = %s AND create_time >= clock_timestamp() - %s AND response IS NOT NULL"
)
_STORE = "UPDATE wrtn_idempotency_keys SET response = %s WHERE owner = %s AND method = %s AND key = %s"
_PURGE = "DELETE FROM wrtn_idempotency_keys WHERE create_time < clock_timestamp() - %s"

R = TypeVar("R", bound=Message)
A = TypeVar("A", bound=Message)


class KeyReused(InvalidArgument):
    """The same idempotency key came with another request."""

    reason = "IDEMPOTENCY_KEY_REUSED"


async def once(
    db: Database, scope: Scope, request: Message, work: Callable[[Transaction], Awaitable[R]]
) -> R:
    """Runs `work` in one transaction and answers what it answers; a repeated request gets the same answer.

    Of two that come at the same time one waits for the other's commit and replays it, or runs if the
    other failed. A replay has fields marked `debug_redact` cleared: a secret is shown once. Without a
    key it is simply a transaction. Raises KeyReused if the key came with another request before.
    """
    call = current_or_none()
    key = _key_of(request, call)
    async with db.transaction(scope) as tx:
        claim = _Claim(call, request, key) if key else None
        stored = await claim.take(tx) if claim else None
        if claim and stored is not None:
            audited()  # when it was done
            return cast("R", claim.opened(stored))
        answer = await work(tx)
        tx.require_audit()
        if claim:
            await claim.store(tx, answer)
        return answer


async def replayed(db: Database, request: Message, kind: type[A]) -> A | None:
    """Answers the kept answer of an earlier request equal to this one, or None. It claims nothing.

    For handlers that must ask a peer before `once`: a replay then depends on no peer, and not on what has
    changed there since.
    """
    call = current_or_none()
    key = _key_of(request, call)
    if not key:
        return None
    async with db.snapshot(Scope()) as tx:
        stored = await _Claim(call, request, key).find(tx)
    if not isinstance(stored, kind):
        return None
    audited()  # when it was done
    return stored


async def purge(db: Database) -> int:
    """Deletes the keys that are too old to be replayed; answers how many. A job's, by the app role."""
    async with db.transaction(Scope()) as tx:
        return (await (await tx.driver()).execute(_PURGE, (KEPT,))).rowcount


def _key_of(request: Message, call: Call | None) -> str:
    return getattr(request, "request_id", "") or (call.idempotency_key if call else "")


class _Claim:
    """One request's claim to its key."""

    def __init__(self, call: Call | None, request: Message, key: str) -> None:
        body = request.SerializeToString(deterministic=True)
        method = call.method if call else request.DESCRIPTOR.full_name
        self._row = (call.caller.key if call else "", method, hashlib.sha256(key.encode()).hexdigest())
        self._hash = hmac.digest(key.encode(), b"request" + body, "sha256")
        self._cipher = AESGCM(hmac.digest(key.encode(), b"answer" + body, "sha256"))

    async def take(self, tx: Transaction) -> bytes | None:
        """Claims the key and answers None, or answers the stored response of the earlier request."""
        driver = await tx.driver()
        if (await driver.execute(_CLAIM, (*self._row, self._hash, KEPT))).rowcount == 1:
            return None
        row = await (await driver.execute(_READ, self._row)).fetchone()
        if row is None or not hmac.compare_digest(row[0], self._hash):
            raise KeyReused("This idempotency key came with another request before.", field="request_id")
        response: bytes = row[1]
        return response

    async def find(self, tx: Snapshot) -> Message | None:
        """Answers the answer of the earlier, equal request, if it is still kept."""
        driver = await tx.driver()
        row = await (await driver.execute(_FIND, (*self._row, self._hash, KEPT))).fetchone()
        return self.opened(row[0]) if row is not None else None

    async def store(self, tx: Transaction, answer: Message) -> None:
        """Keeps the answer, with its type and without its secrets."""
        kept = type(answer)()
        kept.CopyFrom(answer)
        _clear_secrets(kept)
        wrapped = Any()
        wrapped.Pack(kept)
        nonce = os.urandom(_NONCE_BYTES)
        sealed = nonce + self._cipher.encrypt(nonce, wrapped.SerializeToString(), None)
        await (await tx.driver()).execute(_STORE, (sealed, *self._row))

    def opened(self, stored: bytes) -> Message:
        """Answers the kept answer as a message of its own type."""
        wrapped = Any.FromString(self._cipher.decrypt(stored[:_NONCE_BYTES], stored[_NONCE_BYTES:], None))
        kind = GetMessageClass(Default().FindMessageTypeByName(wrapped.TypeName()))
        return kind.FromString(wrapped.value)


def _clear_secrets(message: Message) -> None:
    """Clears the fields marked `debug_redact`, at every depth."""
    for field, value in message.ListFields():
        if field.GetOptions().debug_redact:
            message.ClearField(field.name)
        elif field.type == FieldDescriptor.TYPE_MESSAGE:
            for each in _messages(field, value):
                _clear_secrets(each)


def _messages(field: FieldDescriptor, value: object) -> Iterable[Message]:
    """The messages in a message field: one, those of a list, or the values of a map."""
    if not field.is_repeated:
        return (cast("Message", value),)
    entry = cast("Descriptor", field.message_type)
    if not entry.GetOptions().map_entry:
        return cast("Iterable[Message]", value)
    if entry.fields_by_name["value"].type != FieldDescriptor.TYPE_MESSAGE:
        return ()
    return cast("Mapping[object, Message]", value).values()

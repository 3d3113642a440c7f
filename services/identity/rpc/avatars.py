"""wrtn.identity.v1 AvatarService."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any
from uuid import UUID

import grpc
from google.protobuf.empty_pb2 import Empty

from chassis import call
from chassis.crypto import Keyring
from chassis.database import Database, Scope, Snapshot, Transaction
from chassis.idempotency import once
from services.identity import convert
from services.identity.members import avatars, members
from services.identity.rpc.callers import oneself
from services.identity.staff import staff_reads
from services.identity.store import Avatars
from wrtn.identity.v1 import avatars_pb2
from wrtn.identity.v1.avatars_pb2_grpc import AvatarServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class AvatarRpc(AvatarServiceServicer):
    """wrtn.identity.v1 AvatarService."""

    def __init__(self, db: Database, keyring: Keyring) -> None:
        self._db = db
        self._keyring = keyring

    async def SetAvatar(self, request: avatars_pb2.SetAvatarRequest, context: Context) -> avatars_pb2.Avatar:
        """The caller's own."""
        member_id = oneself(call.current().caller, request.member_id)

        async def work(tx: Transaction) -> avatars_pb2.Avatar:
            return convert.avatar(await avatars.put(tx, self._keyring, member_id, request.image))

        return await once(self._db, Scope.of(member_id=member_id), request, work)

    async def GetAvatar(self, request: avatars_pb2.GetAvatarRequest, context: Context) -> avatars_pb2.Avatar:
        """Members see their own alone; staff see every one, on record."""
        caller = call.current().caller
        rows: AbstractAsyncContextManager[Snapshot]
        if caller.staff and request.member_id not in ("me", str(caller.member_id)):
            member_id = UUID(request.member_id)
            rows = staff_reads.opened(self._db, "avatar.read", member_id=member_id)
        else:
            member_id = oneself(caller, request.member_id)
            rows = self._db.snapshot(Scope.of(member_id=member_id))
        async with rows as snapshot:
            await members.get(snapshot, member_id)
            return convert.avatar(await avatars.get(snapshot, self._keyring, member_id))

    async def DeleteAvatar(self, request: avatars_pb2.DeleteAvatarRequest, context: Context) -> Empty:
        """Repeating it changes nothing."""
        member_id = oneself(call.current().caller, request.member_id)

        async def work(tx: Transaction) -> Empty:
            await Avatars(tx, member_id).remove()
            return Empty()

        return await once(self._db, Scope.of(member_id=member_id), request, work)

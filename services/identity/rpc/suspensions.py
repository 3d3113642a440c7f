"""wrtn.identity.v1 SuspensionService."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import grpc

from chassis import call
from chassis.access.principals import Principals
from chassis.crypto import Keyring
from chassis.database import Database, Scope, Transaction
from chassis.idempotency import once
from chassis.paging import Page, time_and_id
from services.identity import convert
from services.identity.mail.post import Post
from services.identity.members import holds, members
from services.identity.members.holds import Order
from services.identity.models import Member
from services.identity.rpc.callers import signed_in
from services.identity.staff import staff_reads
from wrtn.identity.v1 import members_pb2, suspensions_pb2
from wrtn.identity.v1.suspensions_pb2_grpc import SuspensionServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]
_Request = suspensions_pb2.SuspendMemberRequest | suspensions_pb2.ReinstateMemberRequest


class SuspensionRpc(SuspensionServiceServicer):
    """wrtn.identity.v1 SuspensionService. The access rule has proven a moderator."""

    def __init__(self, db: Database, keyring: Keyring, post: Post, cache: Principals) -> None:
        self._db = db
        self._keyring = keyring
        self._post = post
        self._cache = cache

    async def SuspendMember(
        self, request: suspensions_pb2.SuspendMemberRequest, context: Context
    ) -> members_pb2.Member:
        """This process knows at once, the others by the event."""
        return await self._decided(request, holds.suspend)

    async def ReinstateMember(
        self, request: suspensions_pb2.ReinstateMemberRequest, context: Context
    ) -> members_pb2.Member:
        """This process knows at once, the others by the event."""
        return await self._decided(request, holds.reinstate)

    async def ListSuspensions(
        self, request: suspensions_pb2.ListSuspensionsRequest, context: Context
    ) -> suspensions_pb2.ListSuspensionsResponse:
        """The record of one member; it is on record that it was read."""
        page, member_id = Page.of(request), UUID(request.member_id)
        async with staff_reads.opened(self._db, "suspensions.listed", member_id=member_id) as snapshot:
            rows = await holds.record(
                snapshot, self._keyring, member_id, page.after(time_and_id), page.size + 1
            )
        found, token = page.cut(rows, key=lambda each: (each.row.create_time.isoformat(), str(each.row.id)))
        return suspensions_pb2.ListSuspensionsResponse(
            suspensions=map(convert.suspension, found), next_page_token=token
        )

    async def _decided(
        self,
        request: _Request,
        decide: Callable[[Transaction, Keyring, Post, Order], Awaitable[Member]],
    ) -> members_pb2.Member:
        decider, _ = signed_in(call.current().caller)
        reason = members_pb2.Hold.Reason.Name(request.reason).removeprefix("REASON_")
        order = Order(UUID(request.member_id), reason, request.note, decider)

        async def work(tx: Transaction) -> members_pb2.Member:
            member = await decide(tx, self._keyring, self._post, order)
            tx.after_commit(lambda: self._cache.drop([member.id]))
            await tx.session.flush()
            return convert.member(await members.profile(tx, self._keyring, member, holds=True))

        return await once(self._db, Scope.of(member_id=order.member_id), request, work)

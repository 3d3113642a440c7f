"""wrtn.identity.v1 BreakGlassService."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any
from uuid import UUID

import grpc
from google.protobuf.message import Message

from chassis import call
from chassis.crypto import KeyDestroyed, Keyring
from chassis.database import Database, Scope, Transaction
from chassis.idempotency import once
from chassis.paging import Page, time_and_id
from services.identity import convert
from services.identity.accounts import accounts
from services.identity.errors import MemberHasNoAddress
from services.identity.mail import mails
from services.identity.mail.post import Post
from services.identity.models import AccountKind, BreakGlass
from services.identity.rpc.callers import member_of, signed_in
from services.identity.staff import break_glass, staff_reads
from services.identity.store import Accounts, BreakGlasses, admit_member
from wrtn.access.v1.access_pb2 import STAFF_RIGHT_ADMINISTRATOR
from wrtn.identity.v1 import break_glass_pb2 as pb
from wrtn.identity.v1.break_glass_pb2_grpc import BreakGlassServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class BreakGlassRpc(BreakGlassServiceServicer):
    """wrtn.identity.v1 BreakGlassService."""

    def __init__(self, db: Database, keyring: Keyring, post: Post) -> None:
        self._db = db
        self._keyring = keyring
        self._post = post

    async def OpenBreakGlass(self, request: pb.OpenBreakGlassRequest, context: Context) -> pb.BreakGlass:
        """Opens the tenant to the caller; the owners hear of it by the event."""
        opener = signed_in(call.current().caller)
        tenant_id = UUID(request.tenant_id)
        given = request.HasField("duration")
        duration = request.duration.ToTimedelta() if given else break_glass.DEFAULT

        async def work(tx: Transaction) -> pb.BreakGlass:
            reason = request.reason
            used = await break_glass.open_(tx, self._keyring, tenant_id, opener, reason, duration)
            if used.row.create_time == tx.now:
                await self._tell_holder(tx, tenant_id)
            return convert.break_glass(used)

        return await once(self._db, Scope.of(tenant_id, member_id=opener[0]), request, work)

    async def CloseBreakGlass(self, request: pb.CloseBreakGlassRequest, context: Context) -> pb.BreakGlass:
        """Ends the reading at once: nobody keeps what CheckBreakGlass answered."""
        closer = member_of(call.current().caller)
        seen = await break_glass.get(self._db, UUID(request.break_glass_id))

        async def work(tx: Transaction) -> pb.BreakGlass:
            return convert.break_glass(await break_glass.close(tx, self._keyring, seen, closer))

        return await once(self._db, Scope.of(seen.tenant_id), request, work)

    async def ListBreakGlasses(
        self, request: pb.ListBreakGlassesRequest, context: Context
    ) -> pb.ListBreakGlassesResponse:
        """The uses on every tenant."""
        shown, token = await self._page(request, None)
        return pb.ListBreakGlassesResponse(break_glasses=shown, next_page_token=token)

    async def ListEnterpriseBreakGlasses(
        self, request: pb.ListEnterpriseBreakGlassesRequest, context: Context
    ) -> pb.ListEnterpriseBreakGlassesResponse:
        """The access rule has proven an owner, or a manager with the duty."""
        shown, token = await self._page(request, UUID(request.enterprise_id))
        return pb.ListEnterpriseBreakGlassesResponse(break_glasses=shown, next_page_token=token)

    async def ListAccountBreakGlasses(
        self, request: pb.ListAccountBreakGlassesRequest, context: Context
    ) -> pb.ListAccountBreakGlassesResponse:
        """The uses on a personal account, for who holds it."""
        member_id = member_of(call.current().caller)
        async with self._db.snapshot(Scope.of(member_id=member_id)) as snapshot:
            account = await accounts.get_held(snapshot, member_id, UUID(request.account_id))
        if account.kind != AccountKind.PERSONAL:
            raise accounts.not_found()
        shown, token = await self._page(request, account.tenant_id)
        return pb.ListAccountBreakGlassesResponse(break_glasses=shown, next_page_token=token)

    async def CheckBreakGlass(
        self, request: pb.CheckBreakGlassRequest, context: Context
    ) -> pb.CheckBreakGlassResponse:
        """Judges the right, the login and the time at this moment."""
        ids = (UUID(request.member_id), UUID(request.login_id), UUID(request.tenant_id))
        found = await break_glass.check(self._db, *ids)
        return pb.CheckBreakGlassResponse(break_glass_id=str(found or ""))

    async def _tell_holder(self, tx: Transaction, tenant_id: UUID) -> None:
        """Mails to the holder of a personal account; enterprise writes to owners, by the event."""
        account = await Accounts(tx).in_tenant(tenant_id, tenant_id)
        if account is None:
            return
        await admit_member(tx, account.holder_member_id)
        with suppress(MemberHasNoAddress, KeyDestroyed):
            holder, values = account.holder_member_id, {"enterprise": account.code}
            await mails.to_member(tx, self._keyring, self._post, holder, "break_glass_opened", values)

    async def _page(self, request: Message, tenant_id: UUID | None) -> tuple[Iterable[pb.BreakGlass], str]:
        page = Page.of(request)
        before = page.after(time_and_id)
        rows_of = (
            staff_reads.opened(self._db, "break_glasses.listed", right=STAFF_RIGHT_ADMINISTRATOR)
            if tenant_id is None
            else self._db.snapshot(Scope.of(tenant_id))
        )
        async with rows_of as snapshot:
            rows = await BreakGlasses(snapshot).newest(tenant_id, before, page.size + 1)
        found, token = page.cut(rows, key=_place)
        uses = await break_glass.with_reasons(self._db, self._keyring, found)
        return map(convert.break_glass, uses), token


def _place(row: BreakGlass) -> tuple[str, str]:
    return row.create_time.isoformat(), str(row.id)

"""wrtn.identity.v1 LoginService."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import grpc
from google.protobuf.empty_pb2 import Empty

from chassis import call
from chassis.access.principals import Principals
from chassis.crypto import Keyring
from chassis.database import Database, Transaction
from chassis.idempotency import once
from chassis.paging import Page, time_and_id
from services.identity import convert
from services.identity.logins import logins
from services.identity.models import LoginEnd
from services.identity.rpc.callers import signed_in
from wrtn.identity.v1 import logins_pb2
from wrtn.identity.v1.logins_pb2_grpc import LoginServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class LoginRpc(LoginServiceServicer):
    """wrtn.identity.v1 LoginService."""

    def __init__(self, db: Database, keyring: Keyring, cache: Principals) -> None:
        self._db = db
        self._keyring = keyring
        self._cache = cache

    async def ListLogins(
        self, request: logins_pb2.ListLoginsRequest, context: Context
    ) -> logins_pb2.ListLoginsResponse:
        """The caller's own."""
        caller = call.current().caller
        member_id, current = signed_in(caller)
        page = Page.of(request)
        async with self._db.snapshot(caller.scope) as snapshot:
            rows = await logins.newest(
                snapshot, self._keyring, member_id, page.after(time_and_id), page.size + 1
            )
        items, token = page.cut(
            rows, key=lambda each: (each.login.create_time.isoformat(), str(each.login.id))
        )
        return logins_pb2.ListLoginsResponse(
            logins=[convert.login(each, current) for each in items], next_page_token=token
        )

    async def EndLogin(self, request: logins_pb2.EndLoginRequest, context: Context) -> Empty:
        """This process knows at once, the others by the event."""
        caller = call.current().caller
        member_id, _ = signed_in(caller)
        login_id = UUID(request.login_id)

        async def work(tx: Transaction) -> Empty:
            await logins.end_one(tx, member_id, login_id)
            tx.after_commit(lambda: self._cache.drop([login_id]))
            return Empty()

        return await once(self._db, caller.scope, request, work)

    async def EndLogins(
        self, request: logins_pb2.EndLoginsRequest, context: Context
    ) -> logins_pb2.EndLoginsResponse:
        """Signs out everywhere, or everywhere else."""
        caller = call.current().caller
        member_id, current = signed_in(caller)

        async def work(tx: Transaction) -> logins_pb2.EndLoginsResponse:
            but = current if request.keep_current else None
            ended = await logins.end_all(tx, member_id, LoginEnd.ENDED, but=but)
            tx.after_commit(lambda: self._cache.drop(ended))
            return logins_pb2.EndLoginsResponse(login_ids=map(str, ended))

        return await once(self._db, caller.scope, request, work)

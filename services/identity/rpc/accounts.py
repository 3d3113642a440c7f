"""wrtn.identity.v1 AccountService."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import grpc

from chassis import call
from chassis.crypto import Keyring
from chassis.database import Database, Scope, Transaction
from chassis.idempotency import once
from chassis.paging import Page, PageTokenInvalid
from services.identity import accounts, convert, members
from services.identity.accounts import Opening
from services.identity.models import AccountKind
from services.identity.rpc.callers import signed_in
from services.identity.rpc.pages import time_and_id
from services.identity.store import Accounts
from wrtn.identity.v1 import accounts_pb2
from wrtn.identity.v1.accounts_pb2_grpc import AccountServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


_RANKS = ("0", "1")
"""The place of personal and of enterprise accounts in a list of accounts."""


class AccountRpc(AccountServiceServicer):
    """wrtn.identity.v1 AccountService."""

    def __init__(self, db: Database, keyring: Keyring) -> None:
        self._db = db
        self._keyring = keyring

    async def ListAccounts(
        self, request: accounts_pb2.ListAccountsRequest, context: Context
    ) -> accounts_pb2.ListAccountsResponse:
        """The accounts of the member, in every tenant."""
        page = Page.of(request)
        member_id, _ = signed_in(call.current().caller)
        after = _account_key(page.cursor)
        async with self._db.snapshot(Scope.of(member_id=member_id)) as snapshot:
            rows = await Accounts(snapshot).list_held(member_id, after, page.size + 1)
        found, token = page.cut(
            rows,
            key=lambda row: (
                _RANKS[row.kind != AccountKind.PERSONAL],
                row.create_time.isoformat(),
                str(row.id),
            ),
        )
        return accounts_pb2.ListAccountsResponse(accounts=map(convert.account, found), next_page_token=token)

    async def GetAccount(
        self, request: accounts_pb2.GetAccountRequest, context: Context
    ) -> accounts_pb2.Account:
        """An account that another holds is not known to exist."""
        member_id, _ = signed_in(call.current().caller)
        async with self._db.snapshot(Scope.of(member_id=member_id)) as snapshot:
            return convert.account(await accounts.get_held(snapshot, member_id, UUID(request.account_id)))

    async def OpenAccount(
        self, request: accounts_pb2.OpenAccountRequest, context: Context
    ) -> accounts_pb2.Account:
        """Enterprise asks; the event of the employment asks the same again."""
        opening = Opening(UUID(request.account_id), UUID(request.enterprise_id), UUID(request.member_id))

        async def work(tx: Transaction) -> accounts_pb2.Account:
            name = await members.name_of(tx, self._keyring, opening.member_id)
            return convert.account(await accounts.open_for_employee(tx, opening, name))

        scope = Scope.of(opening.enterprise_id, member_id=opening.member_id)
        return await once(self._db, scope, request, work)


def _account_key(cursor: tuple[str, ...] | None) -> tuple[int, datetime, UUID] | None:
    """Reads the key of the last account of the page before: rank, time, id."""
    if cursor is None:
        return None
    rest = time_and_id(cursor[1:])
    if rest is None or cursor[0] not in _RANKS:
        raise PageTokenInvalid
    return _RANKS.index(cursor[0]), *rest

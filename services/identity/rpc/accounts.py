"""wrtn.identity.v1 AccountService."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import grpc

from chassis import call, masks
from chassis.crypto import Keyring
from chassis.database import Database, Scope, Transaction
from chassis.idempotency import once
from chassis.paging import Page, time_and_id
from services.identity import convert
from services.identity.accounts import accounts
from services.identity.accounts.accounts import Opening
from services.identity.accounts.reach import Reach, require_acting
from services.identity.members import members
from services.identity.models import AccountKind
from services.identity.rpc.callers import member_of
from services.identity.store import Accounts, Holdings
from wrtn.identity.v1 import accounts_pb2
from wrtn.identity.v1.accounts_pb2_grpc import AccountServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


_RANKS = ("0", "1")
"""The place of the own personal account and of all others in a list of accounts."""


class AccountRpc(AccountServiceServicer):
    """wrtn.identity.v1 AccountService."""

    def __init__(self, db: Database, keyring: Keyring, reach: Reach) -> None:
        self._db = db
        self._keyring = keyring
        self._reach = reach

    async def ListAccounts(
        self, request: accounts_pb2.ListAccountsRequest, context: Context
    ) -> accounts_pb2.ListAccountsResponse:
        """The accounts of the member, in every tenant."""
        page = Page.of(request)
        member_id = member_of(call.current().caller)
        after = page.after(_account_key)
        async with self._db.snapshot(Scope.of(member_id=member_id)) as snapshot:
            rows = await Accounts(snapshot).list_held(member_id, after, page.size + 1)
        found, token = page.cut(
            rows,
            key=lambda row: (
                _RANKS[row.kind != AccountKind.PERSONAL or row.inherited],
                row.create_time.isoformat(),
                str(row.id),
            ),
        )
        return accounts_pb2.ListAccountsResponse(accounts=map(convert.account, found), next_page_token=token)

    async def GetAccount(
        self, request: accounts_pb2.GetAccountRequest, context: Context
    ) -> accounts_pb2.Account:
        """An account that the caller neither holds nor manages is not known to exist."""
        return convert.account(await self._reach.account(call.current().caller, UUID(request.account_id)))

    async def UpdateAccount(
        self, request: accounts_pb2.UpdateAccountRequest, context: Context
    ) -> accounts_pb2.Account:
        """Changes the code."""
        changes = masks.changes(request.account, request.update_mask, allowed=("code",))
        caller = call.current().caller
        seen = await self._reach.account(caller, UUID(request.account.id))

        async def work(tx: Transaction) -> accounts_pb2.Account:
            await require_acting(tx, caller)
            return convert.account(await accounts.recode(tx, seen, changes["code"]))

        return await once(self._db, Scope.of(seen.tenant_id, member_id=caller.member_id), request, work)

    async def ListEnterpriseAccounts(
        self, request: accounts_pb2.ListEnterpriseAccountsRequest, context: Context
    ) -> accounts_pb2.ListEnterpriseAccountsResponse:
        """The access rule has proven a manager or owner."""
        page = Page.of(request)
        tenant_id = UUID(request.enterprise_id)
        holder = UUID(request.holder_member_id) if request.holder_member_id else None
        after = page.after(time_and_id)
        async with self._db.snapshot(Scope.of(tenant_id)) as snapshot:
            rows = await Accounts(snapshot).page(tenant_id, holder, after, page.size + 1)
        found, token = page.cut(rows, key=lambda row: (row.create_time.isoformat(), str(row.id)))
        return accounts_pb2.ListEnterpriseAccountsResponse(
            accounts=map(convert.account, found), next_page_token=token
        )

    async def ListAccountHoldings(
        self, request: accounts_pb2.ListAccountHoldingsRequest, context: Context
    ) -> accounts_pb2.ListAccountHoldingsResponse:
        """Who held the account when, the latest first."""
        page = Page.of(request)
        before = page.after(int)
        account = await self._reach.account(call.current().caller, UUID(request.account_id))
        async with self._db.snapshot(Scope.of(account.tenant_id)) as snapshot:
            rows = await Holdings(snapshot, account.tenant_id).newest(account.id, before, page.size + 1)
        found, token = page.cut(rows, key=lambda row: (str(row[0].sequence),))
        return accounts_pb2.ListAccountHoldingsResponse(
            account_holdings=[convert.holding(row, end) for row, end in found], next_page_token=token
        )

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


def _account_key(rank: str, moment: str, account_id: str) -> tuple[int, datetime, UUID]:
    """Reads the key of the last account of the page before: rank, time, id."""
    return _RANKS.index(rank), *time_and_id(moment, account_id)

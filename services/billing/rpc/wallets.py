"""wrtn.billing.v1 WalletService."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import grpc
from google.protobuf.message import Message

from chassis import masks
from chassis.database import Scope, Snapshot, Transaction
from chassis.idempotency import once
from chassis.paging import Page
from chassis.service import Runtime
from chassis.settings import ServiceSettings
from services.billing import convert
from services.billing.errors import WalletNotFound
from services.billing.models import WalletLot
from services.billing.payments.payers import require_payer
from services.billing.readers import Reader, reading
from services.billing.spending.budgets import amount_of
from services.billing.store.wallets import NEVER, Place, WalletRead
from services.billing.wallets import convert_wallets, wallet_acts, wallets
from services.billing.wallets.statements import statement
from services.billing.wallets.wallet_acts import Act
from wrtn.billing.v1 import wallets_pb2 as pb
from wrtn.billing.v1.wallets_pb2_grpc import WalletServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]
_READ = "wallet.read"
_CHANGEABLE = ("top_up_threshold", "top_up_amount")


class Wallets(WalletServiceServicer):
    """Shows wallets, and takes what people and administrators do to them."""

    def __init__(self, runtime: Runtime[ServiceSettings]) -> None:
        self._runtime = runtime

    async def GetWallet(self, request: pb.GetWalletRequest, context: Context) -> pb.Wallet:
        """Gets the wallet as it stands now."""
        tenant_id = UUID(request.wallet_id)
        async with reading(self._runtime, tenant_id, _READ) as (snapshot, reader):
            await _require(reader, snapshot)
            return await _shown(snapshot, tenant_id)

    async def UpdateWallet(self, request: pb.UpdateWalletRequest, context: Context) -> pb.Wallet:
        """Changes when and by how much it is topped up."""
        tenant_id = _id(request.wallet.id)
        await require_payer(self._runtime, tenant_id)
        named = masks.changes(request.wallet, request.update_mask, allowed=_CHANGEABLE)
        changes = {name: amount_of(value) if value else None for name, value in named.items()}

        async def change(tx: Transaction) -> pb.Wallet:
            await wallets.set_top_up(tx, tenant_id, request.wallet.etag, changes)
            return await _shown(tx, tenant_id)

        return await once(self._runtime.db, Scope.of(tenant_id), request, change)

    async def ListWalletLots(
        self, request: pb.ListWalletLotsRequest, context: Context
    ) -> pb.ListWalletLotsResponse:
        """Lists what is left, in the order in which it burns."""
        page, tenant_id = Page.of(request), UUID(request.wallet_id)
        async with reading(self._runtime, tenant_id, _READ) as (snapshot, reader):
            await _require(reader, snapshot)
            wallet = WalletRead(snapshot, tenant_id)
            found = await wallet.unspent(page.after(_place), page.size + 1)
            references = await wallet.references(found)
            currency = await wallets.currency_of(snapshot, tenant_id)
        rows, token = page.cut(found, key=_key)
        lots = [convert_wallets.lot(row, currency, references) for row in rows]
        return pb.ListWalletLotsResponse(lots=lots, next_page_token=token)

    async def GetWalletStatement(
        self, request: pb.GetWalletStatementRequest, context: Context
    ) -> pb.WalletStatement:
        """States what went in and out."""
        page, tenant_id = Page.of(request), UUID(request.wallet_id)
        start, end = convert.moment(request, "start_time"), convert.moment(request, "end_time")
        async with reading(self._runtime, tenant_id, _READ) as (snapshot, reader):
            return convert_wallets.statement(await statement(snapshot, reader, tenant_id, start, end, page))

    async def AddWalletBonus(self, request: pb.AddWalletBonusRequest, context: Context) -> pb.WalletLot:
        """Gives credits for good."""
        act = _act(request)
        return await self._credited(request, act, lambda tx: wallet_acts.add_bonus(tx, act))

    async def AddWalletGrant(self, request: pb.AddWalletGrantRequest, context: Context) -> pb.WalletLot:
        """Gives credits until a moment."""
        act, until = _act(request), convert.moment(request, "expire_time") or datetime.min.replace(tzinfo=UTC)
        return await self._credited(
            request, act, lambda tx: wallet_acts.add_grant(tx, act, request.priority, until)
        )

    async def FineWallet(self, request: pb.FineWalletRequest, context: Context) -> pb.Wallet:
        """Fines the tenant."""
        act = _act(request)

        async def fined(tx: Transaction) -> pb.Wallet:
            await wallet_acts.fine(tx, act)
            return await _shown(tx, act.tenant_id)

        return await once(self._runtime.db, Scope.of(act.tenant_id), request, fined)

    async def RefundWalletLot(self, request: pb.RefundWalletLotRequest, context: Context) -> pb.WalletLot:
        """Takes bought credits back."""
        act, lot_id = _act(request), UUID(request.lot_id)
        return await self._credited(request, act, lambda tx: wallet_acts.refund(tx, act, lot_id))

    async def SetWalletPrepaid(self, request: pb.SetWalletPrepaidRequest, context: Context) -> pb.Wallet:
        """Says whether what the wallet does not cover is refused."""
        tenant_id = UUID(request.wallet_id)

        async def changed(tx: Transaction) -> pb.Wallet:
            await wallet_acts.set_prepaid(tx, tenant_id, prepaid=request.prepaid, reason=request.reason)
            return await _shown(tx, tenant_id)

        return await once(self._runtime.db, Scope.of(tenant_id), request, changed)

    async def _credited(
        self, request: Message, act: Act, work: Callable[[Transaction], Awaitable[WalletLot]]
    ) -> pb.WalletLot:
        async def shown(tx: Transaction) -> pb.WalletLot:
            row = await work(tx)
            references = await WalletRead(tx, act.tenant_id).references([row])
            return convert_wallets.lot(row, act.currency, references)

        return await once(self._runtime.db, Scope.of(act.tenant_id), request, shown)


async def _require(reader: Reader, snapshot: Snapshot) -> None:
    if not await reader.sees_now(snapshot):
        raise _not_found()


async def _shown(snapshot: Snapshot, tenant_id: UUID) -> pb.Wallet:
    read = WalletRead(snapshot, tenant_id)
    currency = await wallets.currency_of(snapshot, tenant_id)
    return convert_wallets.wallet(
        tenant_id, currency, await read.get(), await read.reserved(), await read.owed()
    )


def _act(
    request: pb.AddWalletBonusRequest
    | pb.AddWalletGrantRequest
    | pb.FineWalletRequest
    | pb.RefundWalletLotRequest,
) -> Act:
    return Act(UUID(request.wallet_id), Decimal(request.amount), request.currency, request.reason)


def _key(row: WalletLot) -> tuple[str, ...]:
    return str(row.priority), (row.expire_time or NEVER).isoformat(), str(row.sequence)


def _place(priority: str, expire_time: str, sequence: str) -> Place:
    return int(priority), datetime.fromisoformat(expire_time), int(sequence)


def _id(given: str) -> UUID:
    try:
        return UUID(given)
    except ValueError:
        raise _not_found() from None


def _not_found() -> WalletNotFound:
    return WalletNotFound("The wallet does not exist.", field="wallet_id")

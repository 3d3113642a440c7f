"""How tests hand accounts over."""

from __future__ import annotations

from typing import Any

import grpc
import pytest

from chassis.clock import Clock
from tests.identity import make
from tests.identity.make import SignedIn
from tests.identity.service import Identity
from wrtn.access.v1.access_pb2 import Title
from wrtn.identity.v1 import accounts_pb2, transfers_pb2
from wrtn.identity.v1.transfers_pb2 import AccountTransfer

CODES = grpc.StatusCode
State = AccountTransfer.State


def new_id() -> str:
    """Makes an id."""
    return str(Clock().new_id())


async def refused(call: Any) -> tuple[grpc.StatusCode, str]:
    """Answers code and reason of a call that has to fail."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code(), make.reason(caught.value)


async def offer(
    identity: Identity, by: SignedIn, receiver: SignedIn | str, account_id: str = "", request_id: str = ""
) -> AccountTransfer:
    """Offers an account, the acting one unless another is named."""
    request = transfers_pb2.OfferAccountRequest(
        account_id=account_id or by.account_id,
        receiver_member_id=receiver if isinstance(receiver, str) else receiver.member_id,
        request_id=request_id,
    )
    return await identity.transfers.OfferAccount(request, metadata=by.metadata)


async def accept(identity: Identity, by: SignedIn, transfer_id: str) -> AccountTransfer:
    """Accepts an offer."""
    request = transfers_pb2.AcceptTransferRequest(transfer_id=transfer_id)
    return await identity.transfers.AcceptTransfer(request, metadata=by.metadata)


async def decline(identity: Identity, by: SignedIn, transfer_id: str) -> AccountTransfer:
    """Declines an offer."""
    request = transfers_pb2.DeclineTransferRequest(transfer_id=transfer_id)
    return await identity.transfers.DeclineTransfer(request, metadata=by.metadata)


async def cancel(identity: Identity, by: SignedIn, account_id: str, transfer_id: str) -> AccountTransfer:
    """Takes an offer back."""
    request = transfers_pb2.CancelTransferRequest(account_id=account_id, transfer_id=transfer_id)
    return await identity.transfers.CancelTransfer(request, metadata=by.metadata)


async def held(identity: Identity, by: SignedIn) -> list[accounts_pb2.Account]:
    """Lists the accounts that a member holds."""
    found = await identity.accounts.ListAccounts(accounts_pb2.ListAccountsRequest(), metadata=by.metadata)
    return list(found.accounts)


async def holdings(identity: Identity, by: SignedIn, account_id: str) -> list[accounts_pb2.AccountHolding]:
    """Lists who held an account."""
    request = accounts_pb2.ListAccountHoldingsRequest(account_id=account_id)
    return list((await identity.accounts.ListAccountHoldings(request, metadata=by.metadata)).account_holdings)


async def employ(
    identity: Identity, enterprise_id: str, title: Title.ValueType = Title.TITLE_MEMBER
) -> SignedIn:
    """Makes an employee, acting by their account in the enterprise."""
    person = await make.member(identity)
    account = await make.open_account(identity, person.member_id, enterprise_id=enterprise_id)
    identity.employees.setdefault(enterprise_id, {})[person.member_id] = title
    return SignedIn(person.email, await make.refresh(identity, person.pair.refresh_token, account.id))


def decision(
    enterprise_id: str, of: SignedIn, to: SignedIn, **more: str
) -> transfers_pb2.TransferAccountRequest:
    """What the enterprise service asks when an employee has left."""
    named = {
        "transfer_id": new_id(),
        "enterprise_id": enterprise_id,
        "account_id": of.account_id,
        "holder_member_id": of.member_id,
        "receiver_member_id": to.member_id,
    }
    return transfers_pb2.TransferAccountRequest(**(named | more))

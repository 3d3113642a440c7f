"""Wallets, lots and statements as protos."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from uuid import UUID

from chassis import timestamps
from chassis.decimals import text
from services.billing import models
from services.billing.spending.admission import ZERO
from services.billing.store.statements import Entry
from services.billing.wallets import purchases
from services.billing.wallets.statements import Statement
from wrtn.billing.v1 import wallets_pb2 as pb


def wallet(
    tenant_id: UUID, currency: str, row: models.Wallet | None, reserved: Decimal, owed: Decimal
) -> pb.Wallet:
    """Builds a wallet; one without a row is empty."""
    debt = text(max(owed, ZERO))
    if row is None:
        return pb.Wallet(
            id=str(tenant_id), currency=currency, balance="0", reserved="0", left="0", owed=debt, etag="0"
        )
    return pb.Wallet(
        id=str(tenant_id),
        currency=row.currency,
        balance=text(row.balance),
        reserved=text(reserved),
        left=text(max(row.balance - reserved, ZERO)),
        owed=debt,
        prepaid=row.prepaid,
        top_up_threshold=_optional(row.top_up_threshold),
        top_up_amount=_optional(row.top_up_amount),
        etag=str(row.version),
    )


def lot(row: models.WalletLot, currency: str, references: Mapping[UUID, str]) -> pb.WalletLot:
    """Builds a lot; `references` are those of postings."""
    built = pb.WalletLot(
        id=str(row.id),
        kind=pb.WalletLot.Kind.Value(f"KIND_{row.kind}"),
        amount=text(row.amount),
        remaining=text(row.remaining),
        refunded=text(row.refunded),
        currency=currency,
        priority=row.priority,
        create_time=timestamps.of(row.create_time),
        payment_id=str(purchases.payment_of(references.get(row.posting_id, "")) or ""),
    )
    if row.expire_time is not None:
        built.expire_time.CopyFrom(timestamps.of(row.expire_time))
    return built


def statement(found: Statement) -> pb.WalletStatement:
    """Builds a page of a statement."""
    return pb.WalletStatement(
        start_time=timestamps.of(found.start),
        end_time=timestamps.of(found.end),
        currency=found.currency,
        opening_balance=text(found.opening),
        closing_balance=text(found.closing),
        entries=map(_entry, found.entries),
        next_page_token=found.next_page_token,
    )


def _entry(row: Entry) -> pb.WalletEntry:
    return pb.WalletEntry(
        id=str(row.id),
        kind=row.kind,
        amount=text(row.amount),
        balance=text(row.balance),
        create_time=timestamps.of(row.create_time),
    )


def _optional(amount: Decimal | None) -> str:
    return text(amount) if amount is not None else ""

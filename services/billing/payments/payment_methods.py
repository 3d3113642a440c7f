"""Saved cards: what may be shown of them is kept here, encrypted; the rest is the provider's."""

from __future__ import annotations

from uuid import UUID

from chassis import timestamps
from chassis.crypto import Keyring
from chassis.database import Snapshot, Transaction
from services.billing.errors import PaymentMethodNotFound
from services.billing.models import PaymentMethod
from services.billing.payments.stripe.saving import Saved
from services.billing.store.payment_methods import PaymentMethods
from wrtn.billing.v1 import payment_methods_pb2 as pb

_CARD = "wrtn_payment_methods.card"


async def save(tx: Transaction, keyring: Keyring, tenant_id: UUID, saved: Saved) -> PaymentMethod:
    """Keeps a card, the first one as the default; one that is kept already stays as it is."""
    methods = PaymentMethods(tx, tenant_id)
    await methods.lock()
    known = await methods.known_as(saved.method_id)
    if known is not None:
        return known
    method_id = tx.clock.new_id()
    card = pb.PaymentMethod(
        brand=saved.brand,
        last_digits=saved.last_digits,
        expire_month=saved.expire_month,
        expire_year=saved.expire_year,
    )
    key = await keyring.key(tx, tenant_id)
    row = PaymentMethod(
        tenant_id=tenant_id,
        id=method_id,
        provider_method_id=saved.method_id,
        card=key.encrypt(card.SerializeToString(), _CARD, tenant_id, method_id),
        is_default=await methods.default() is None,
        create_time=tx.now,
        delete_time=None,
        detach_time=None,
    )
    tx.session.add(row)
    tx.audit("payment_method.saved", tenant_id=tenant_id, target_id=method_id)
    return row


async def make_default(tx: Transaction, tenant_id: UUID, method_id: UUID) -> PaymentMethod:
    """Makes a card the default; raises PaymentMethodNotFound."""
    methods = PaymentMethods(tx, tenant_id)
    await methods.lock()
    row = await found(tx, tenant_id, method_id)
    if not row.is_default:
        await methods.make_default(method_id)
        await tx.session.refresh(row)
        tx.audit("payment_method.made_default", tenant_id=tenant_id, target_id=method_id)
    return row


async def delete(tx: Transaction, tenant_id: UUID, method_id: UUID) -> None:
    """Forgets a card; the provider is told by a job. Raises PaymentMethodNotFound."""
    await PaymentMethods(tx, tenant_id).lock()
    row = await found(tx, tenant_id, method_id)
    row.is_default, row.delete_time = False, tx.now
    tx.audit("payment_method.deleted", tenant_id=tenant_id, target_id=method_id)


async def found(tx: Snapshot, tenant_id: UUID, method_id: UUID) -> PaymentMethod:
    """Answers a card; raises PaymentMethodNotFound."""
    row = await PaymentMethods(tx, tenant_id).get(method_id)
    if row is None:
        raise PaymentMethodNotFound("The card does not exist.", field="payment_method_id")
    return row


async def shown(tx: Snapshot, keyring: Keyring, row: PaymentMethod) -> pb.PaymentMethod:
    """Answers what may be shown of a card."""
    key = await keyring.key(tx, row.tenant_id)
    card = pb.PaymentMethod.FromString(key.decrypt(row.card, _CARD, row.tenant_id, row.id))
    card.id, card.default = str(row.id), row.is_default
    card.create_time.CopyFrom(timestamps.of(row.create_time))
    return card

"""What administrators are written to about: what needs a person and happens where nobody is looking."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import structlog

from chassis.crypto import Keyring
from chassis.database import Transaction
from chassis.events.consumer import Consumer
from chassis.events.envelope import Event
from services.identity.errors import MemberHasNoAddress
from services.identity.mail import mails
from services.identity.mail.post import Post
from services.identity.models import PLATFORM
from services.identity.store import admit_member
from services.identity.store.staff import Staffs
from wrtn.billing.v1.events_pb2 import BooksDisagreed, ModelUnpriced, PaymentDisputed, RefundFailed
from wrtn.billing.v1.payments_pb2 import Payment

_OUTCOMES: Mapping[int, str] = {
    Payment.STATE_DISPUTED: "contested",
    Payment.STATE_SUCCEEDED: "won",
    Payment.STATE_LOST: "lost",
}
"""The states of a contested payment as the template names them."""

_log = structlog.get_logger(__name__)


class Alerts:
    """Writes to every administrator, once for each event."""

    def __init__(self, keyring: Keyring, post: Post) -> None:
        self._keyring = keyring
        self._post = post

    def consumer(self) -> Consumer:
        """Answers the consumer of billing's stream."""
        return Consumer(
            "alerts",
            "billing",
            {
                ModelUnpriced: self.unpriced,
                BooksDisagreed: self.disagreed,
                PaymentDisputed: self.disputed,
                RefundFailed: self.undelivered,
            },
        )

    async def unpriced(self, tx: Transaction, events: Sequence[Event[ModelUnpriced]]) -> None:
        """Tells of models that are used without a price; billing tells once a model."""
        for event in events:
            await self._write(tx, "model_unpriced", {"model": event.message.model})

    async def disagreed(self, tx: Transaction, events: Sequence[Event[BooksDisagreed]]) -> None:
        """Tells of tenants whose books disagree."""
        for event in events:
            await self._write(tx, "books_disagreed", {"tenant_id": str(event.aggregate_id)})

    async def disputed(self, tx: Transaction, events: Sequence[Event[PaymentDisputed]]) -> None:
        """Tells of payments that are contested, and how that was decided."""
        for event in events:
            about = event.message
            fills = {
                "outcome": _OUTCOMES[about.state],
                "amount": f"{about.amount} {about.currency}",
                "payment_id": about.payment_id,
                "tenant_id": str(event.tenant_id),
            }
            await self._write(tx, "dispute_told", fills)

    async def undelivered(self, tx: Transaction, events: Sequence[Event[RefundFailed]]) -> None:
        """Tells of refunds whose money came back."""
        for event in events:
            about = event.message
            fills = {
                "amount": f"{about.amount} {about.currency}",
                "payment_id": about.payment_id,
                "tenant_id": str(event.tenant_id),
            }
            await self._write(tx, "refund_failed_told", fills)

    async def _write(self, tx: Transaction, template: str, fills: Mapping[str, str]) -> None:
        """Writes to the administrators; one without an address keeps nobody else from reading it."""
        await tx.widen(PLATFORM)
        for member_id in await Staffs(tx).administrators():
            await admit_member(tx, member_id)
            try:
                await mails.to_member(tx, self._keyring, self._post, member_id, template, fills)
            except MemberHasNoAddress as error:
                _log.warning("alert_not_sent", member_id=str(member_id), reason=error.reason)

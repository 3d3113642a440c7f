"""What administrators are written to about, when billing tells of it."""

from __future__ import annotations

from uuid import UUID

import pytest
from google.protobuf.message import Message

from services.identity.mail.letters import Letters
from tests.identity import make
from tests.identity.service import Identity
from tests.identity.smtp_server import text_of
from tests.usage import NEW
from wrtn.access.v1.access_pb2 import STAFF_RIGHT_MODERATOR
from wrtn.billing.v1.events_pb2 import BooksDisagreed, ModelUnpriced, PaymentDisputed, RefundFailed
from wrtn.billing.v1.payments_pb2 import Payment


async def test_every_administrator_is_told_once_of_each_and_nobody_else(identity: Identity) -> None:
    bosses = [await make.appointed(identity), await make.appointed(identity)]
    others = [await make.appointed(identity, STAFF_RIGHT_MODERATOR), await make.member(identity)]
    tenant, payment = NEW(), NEW()
    disputed = PaymentDisputed(
        payment_id=str(payment), state=Payment.STATE_DISPUTED, amount="20", currency="USD"
    )
    facts: list[tuple[Message, UUID | None, UUID]] = [
        (ModelUnpriced(model="test/unheard-of"), None, NEW()),
        (BooksDisagreed(), tenant, tenant),
        (disputed, tenant, payment),
        (RefundFailed(payment_id=str(payment), amount="7", currency="USD"), tenant, payment),
    ]
    for fact, of, aggregate in facts:
        await make.publish(identity, fact, of, aggregate, times=2)
    await make.publish(identity, ModelUnpriced(model="test/last"), None, NEW())
    for boss in bosses:
        await identity.mailbox.wait_for(boss.email, 5)
        said = [text_of(each) for each in identity.mailbox.to(boss.email)]
        assert len(said) == 5
        for wanted in (
            "test/unheard-of",
            "test/last",
            str(tenant),
            f"{payment} of the tenant {tenant}",
            "7 USD",
        ):
            assert any(wanted in each for each in said)
    assert [identity.mailbox.to(each.email) for each in others] == [[], []]


@pytest.mark.parametrize("outcome", ["contested", "won", "lost"])
def test_the_template_says_how_a_dispute_was_decided(outcome: str) -> None:
    fills = {"outcome": outcome, "amount": "4.25 EUR", "payment_id": "p", "tenant_id": "t"}
    letter = Letters(public_url=None).write("dispute_told", "en", fills)
    assert "4.25 EUR" in letter.text
    assert "4.25 EUR" in letter.html

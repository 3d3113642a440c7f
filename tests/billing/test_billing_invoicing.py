"""What becomes of finalised invoices: paid, credited, and never altered."""

from __future__ import annotations

import os
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import psycopg
import pytest

from chassis.audit.recording import AuditTrail
from chassis.crypto import Keyring
from chassis.database import Scope
from chassis.database.roles import connect
from chassis.testing.databases import DatabaseFactory, ServiceDatabase
from services.billing.errors import InvoiceNotOpen, InvoiceOverpaid
from services.billing.invoices.invoicing import mark_paid
from services.billing.ledger.money import rounded
from services.billing.models import Invoice, InvoiceLine
from tests.billing.make import of_day
from tests.usage import NEW
from wrtn.billing.v1 import invoices_pb2 as pb

KEYRING = Keyring(os.urandom(32))
ZERO = Decimal(0)
_ANOTHER_LINE = """
INSERT INTO wrtn_invoice_lines
SELECT (jsonb_populate_record(line, '{"place": 2}')).* FROM wrtn_invoice_lines AS line
"""


async def open_invoice(made: ServiceDatabase, tenant_id: UUID, total: str, number: int = 1) -> Invoice:
    """An invoice with one line, that was finalised and is to be paid."""
    row = Invoice(
        tenant_id=tenant_id,
        id=NEW(),
        state=pb.Invoice.STATE_DRAFT,
        number=None,
        currency="USD",
        start_time=of_day(1) + timedelta(seconds=number),
        end_time=of_day(30),
        subtotal=Decimal(total),
        tax_rate=ZERO,
        tax=ZERO,
        total=Decimal(total),
        paid=ZERO,
        credited=ZERO,
        net_days=14,
        buyer=None,
        finalize_time=of_day(30),
        due_time=of_day(30) + timedelta(days=14),
        pay_time=None,
        close_time=None,
        version=1,
        create_time=of_day(30),
        update_time=of_day(30),
    )
    line = InvoiceLine(
        tenant_id=tenant_id,
        invoice_id=row.id,
        place=1,
        kind=pb.InvoiceLine.KIND_USAGE,
        description="",
        team_id=None,
        model="test/small",
        cost_centre="",
        quantity=1,
        exact_amount=Decimal(total),
        amount=Decimal(total),
    )
    async with made.app.transaction(Scope.of(tenant_id)) as tx:
        tx.session.add(row)
        await tx.session.flush()
        tx.session.add(line)
        await tx.session.flush()
        row.state, row.number = pb.Invoice.STATE_OPEN, number
    return row


async def test_an_invoice_is_paid_in_parts_never_above_what_is_due_and_not_again(
    database: DatabaseFactory,
) -> None:
    made, tenant = await database("billing"), NEW()
    made.app.auditor = AuditTrail("billing", KEYRING)
    invoice = await open_invoice(made, tenant, "10.00")

    async def pay(amount: str) -> Invoice:
        async with made.app.transaction(Scope.of(tenant)) as tx:
            return await mark_paid(tx, tenant, invoice.id, NEW(), Decimal(amount))

    assert (await pay("4")).state == pb.Invoice.STATE_OPEN
    for amount in ("6.01", "0", "-1"):
        with pytest.raises(InvoiceOverpaid):
            await pay(amount)
    done = await pay("6")
    assert (done.state, done.due, done.version) == (pb.Invoice.STATE_PAID, ZERO, 3)
    assert done.pay_time is not None
    with pytest.raises(InvoiceNotOpen):
        await pay("1")
    with connect(made.urls.owner) as owner:
        told = owner.execute("SELECT count(*) FROM wrtn_outbox WHERE subject LIKE '%invoice.changed'")
        assert told.fetchone() == (2,)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE wrtn_invoices SET total = 1",
        "UPDATE wrtn_invoices SET state = 1, number = NULL",
        "UPDATE wrtn_invoices SET number = 7",
        "DELETE FROM wrtn_invoices",
        "UPDATE wrtn_invoice_lines SET amount = 1",
        "DELETE FROM wrtn_invoice_lines",
        _ANOTHER_LINE,
    ],
)
async def test_the_database_refuses_to_alter_a_finalised_invoice(
    database: DatabaseFactory, change: str
) -> None:
    made, tenant = await database("billing"), NEW()
    await open_invoice(made, tenant, "10.00")
    with connect(made.urls.owner) as owner:
        owner.execute("SELECT set_config('wrtn.tenants', %s, false)", (f"{{{tenant}}}",))
        with pytest.raises(psycopg.errors.RestrictViolation):
            owner.execute(change.encode())


@pytest.mark.parametrize(
    ("amount", "currency", "expected"),
    [
        ("0.005", "USD", "0.00"),
        ("0.015", "USD", "0.02"),
        ("-2.675", "EUR", "-2.68"),
        ("2.5", "KRW", "2"),
        ("0.0005", "KWD", "0.000"),
    ],
)
def test_amounts_are_rounded_half_to_even_in_the_smallest_unit(
    amount: str, currency: str, expected: str
) -> None:
    assert str(rounded(Decimal(amount), currency)) == expected

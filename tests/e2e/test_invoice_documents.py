"""An invoice as its payer gets it: as JSON, PDF and CSV, through the gateway."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from decimal import Decimal

from chassis.testing.callers import Callers
from chassis.testing.databases import DatabaseFactory
from chassis.testing.serving import Serve
from tests.billing.buyers import found, opened
from tests.billing.fronted import gateway
from tests.usage import NEW, Person


async def test_an_invoice_is_downloaded_as_pdf_and_its_usage_as_csv_that_adds_up(
    database: DatabaseFactory, serve: Serve, callers: Callers
) -> None:
    team = NEW()
    async with opened(database, serve, callers, tax_rates="DE=19") as made:
        buyer = await found(made, "UTC", "USD", team)
        buyer.directory.names = {str(team): "Research"}
        for n, person in enumerate((Person(buyer.id, (team,)), Person(buyer.id))):
            await buyer.use(1_000_001 + n, datetime(2026, 11, 10 + n, tzinfo=UTC), person)
        (expected,) = await buyer.invoiced(2026, 12, 1, 1)
        path = f"/v1/enterprises/{buyer.id}/invoices/{expected.id}"
        headers, foreign = dict(buyer.owner.metadata), dict((await found(made)).owner.metadata)
        async with gateway(buyer.running) as client:
            shown = (await client.get(path, headers=headers)).raise_for_status().json()
            pdf = (await client.get(f"{path}:download", headers=headers)).raise_for_status()
            usage = (await client.get(f"{path}/usage:download", headers=headers)).raise_for_status()
            for each in (f"{path}:download", f"{path}/usage:download"):
                assert (await client.get(each)).status_code == 401
                assert (await client.get(each, headers=foreign)).status_code in (403, 404)
    assert [(line["teamName"], line["amount"]) for line in shown["lines"]] == [
        ("", "2.00"),
        ("Research", "2.00"),
    ]
    rows = list(csv.DictReader(io.StringIO(usage.text)))
    assert len(rows) == 2
    assert sum(Decimal(row["charge"]) for row in rows) == sum(
        Decimal(line["exactAmount"]) for line in shown["lines"]
    )
    told = [(each.headers["content-type"], each.headers["content-disposition"]) for each in (pdf, usage)]
    assert told == [
        ("application/pdf", 'attachment; filename="INV-000001.pdf"'),
        ("text/csv; charset=utf-8", 'attachment; filename="INV-000001.csv"'),
    ]
    assert pdf.content.startswith(b"%PDF-")
    assert pdf.content.rstrip().endswith(b"%%EOF")

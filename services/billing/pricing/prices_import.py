"""Imports the price list by hand: `python -m services.billing.pricing.prices_import`.

The database is WRTN_DATABASE_URL. The service does the same when it starts.
"""

from __future__ import annotations

import asyncio
import os
import sys

from chassis.clock import Clock
from chassis.database import Database
from services.billing.pricing.price_source import packaged
from services.billing.pricing.prices import import_prices


async def _import(url: str) -> None:
    db = Database(url, pool_size=1, clock=Clock())
    try:
        source = packaged()
        added = await import_prices(db, source)
        sys.stdout.write(f"{source.name}: {added} entries added\n")
    finally:
        await db.close()


def main() -> None:
    """Imports and says how many entries were added."""
    url = os.environ.get("WRTN_DATABASE_URL")
    if not url:
        raise SystemExit("WRTN_DATABASE_URL is not set")
    asyncio.run(_import(url))


if __name__ == "__main__":
    main()

"""Signs tokens with the suite's own key: `python -m tests.e2e.signing TOKEN`, in identity's environment.

Prints the claims of TOKEN signed anew, a line each: as of now, and as of twenty minutes ago, expired.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import datetime, timedelta

from chassis import settings
from chassis.auth.tokens import AccessToken
from chassis.clock import Clock
from chassis.crypto import Keyring
from chassis.database import Database
from services.identity.credentials.signing import Signer
from services.identity.settings import AdminSettings
from tests.e2e.forging import read


class Slow(Clock):
    """A clock that is `behind`."""

    def __init__(self, behind: timedelta) -> None:
        super().__init__()
        self._behind = behind

    def now(self) -> datetime:
        """Answers the past."""
        return super().now() - self._behind


async def signed(text: str, behind: timedelta) -> str:
    """Signs the claims of a token as identity did or will have done."""
    chosen, clock = settings.load(AdminSettings), Slow(behind)
    db = Database(chosen.database_url, pool_size=1, clock=clock)
    try:
        signer = Signer(db, Keyring.from_file(chosen.key_file), clock)
        token, _ = await signer.issue(AccessToken.of(read(text.split(".")[1])))
    finally:
        await db.close()
    return token


if __name__ == "__main__":
    for minutes in (0, 20):
        sys.stdout.write(asyncio.run(signed(sys.argv[1], timedelta(minutes=minutes))) + "\n")

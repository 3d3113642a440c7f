"""What a sign-in asks of the database: few round trips, and as many whether or not the address is known."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from chassis.database import Database
from chassis.testing.lines import listening
from services.identity.credentials.signing import Signer
from services.identity.errors import SignInRefused
from services.identity.logins.logins import Origin
from services.identity.sign_in.guesses import Guessing
from services.identity.sign_in.passwords import Passwords
from services.identity.sign_in.signing_in import Credentials, SignIns
from tests.identity import make
from tests.identity.service import CHEAP, Identity

TO_JUDGE = 3
"""Who it is, with the opening of the transaction; the try; the commit."""
TO_OPEN = 3
"""The try given back, with the opening; login and device; the commit with its events."""


async def test_a_sign_in_takes_six_round_trips_and_a_wrong_one_three_whoever_it_is(
    identity: Identity,
) -> None:
    member = await make.member(identity)
    async with listening(identity.running.runtime.settings.database_url) as line:
        db = Database(line.url, pool_size=1, clock=identity.running.runtime.clock)
        ins = _sign_ins(identity, db)

        async def trips(work: Callable[[], Awaitable[object]]) -> int:
            before = line.round_trips
            await work()
            return line.round_trips - before

        async def enter(email: str = member.email, password: str = make.PASSWORD, device: str = "") -> object:
            return await ins.sign_in(Credentials(email, password, device), Origin("a browser", "192.0.2.1"))

        async def refused(email: str) -> None:
            with pytest.raises(SignInRefused):
                await enter(email, "wrong password")

        try:
            await enter()  # connects, and reads the keys
            assert await trips(enter) == TO_JUDGE + TO_OPEN
            assert await trips(lambda: enter(device=member.pair.device_token)) == TO_JUDGE + TO_OPEN
            assert await trips(lambda: refused(member.email)) == TO_JUDGE
            assert await trips(lambda: refused("nobody@example.com")) == TO_JUDGE
        finally:
            await db.close()


def _sign_ins(identity: Identity, db: Database) -> SignIns:
    """Makes what signs in over this database."""
    runtime = identity.running.runtime
    clock, keyring, party = runtime.clock, runtime.keyring, runtime.settings.passkey_party()
    signer, guessing = Signer(db, keyring, clock), Guessing(db, keyring)
    return SignIns(db, keyring, clock, Passwords(CHEAP), signer, guessing, party)

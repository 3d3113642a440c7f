"""Guessing: how often anybody may try, counted in the database, and so over all replicas.

A try is spent before it is judged, so that many at once are no more than their number, and given back when
it was right. Subjects are keyed hashes: an unknown address counts and blocks like a known one, and no row
tells which it is.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta

from chassis.crypto import Keyring
from chassis.database import Database, Scope, Transaction
from chassis.rpc.origins import address_of
from services.identity.errors import TooManyTries
from services.identity.store.guesses import Guesses

WINDOW = timedelta(minutes=15)
MOST = 10
"""Wrong tries against one account, from one device that its owner is known by, or at one second factor."""
MOST_ADDRESS = 300
"""Wrong tries from one client address, which many people may share."""
_PURPOSE = "guess"


@dataclass(frozen=True, slots=True)
class Bound:
    """At most so many wrong tries against a subject in WINDOW.

    A quiet one refuses as if the guess were wrong: to say more would tell what belongs together.
    """

    subject: str
    most: int = MOST
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class Spent:
    """A try that counts until it is given back."""

    subjects: tuple[bytes, ...]
    time: datetime
    refused: bool = False
    """Whether a quiet bound refuses it, whatever is guessed."""


class Guessing:
    """Counts the tries."""

    def __init__(self, db: Database, keyring: Keyring) -> None:
        self._db = db
        self._keyring = keyring

    async def spend(self, *bounds: Bound) -> Spent:
        """Spends a try against each bound; raises TooManyTries, and spends none, if one is reached.

        Bounds are to come in one order everywhere, the widest last: their rows stay locked until the end.
        """
        async with self._db.transaction(Scope()) as tx:
            return await self.spend_in(tx, *bounds)

    async def spend_in(self, tx: Transaction, *bounds: Bound) -> Spent:
        """Spends a try as the last thing of a transaction."""
        subjects = [self._keyring.lookup(_PURPOSE, bound.subject) for bound in bounds]
        wanted = [(subject, bound.most) for subject, bound in zip(subjects, bounds, strict=True)]
        added = await Guesses(tx).add(wanted, tx.now, tx.now - WINDOW)
        for subject, bound, good in zip(subjects, bounds, added, strict=True):
            if not good and not bound.quiet:
                raise _exhausted(await Guesses(tx).oldest(subject, tx.now - WINDOW), tx.now)
        counted = (subject for subject, good in zip(subjects, added, strict=True) if good)
        return Spent(tuple(counted), tx.now, refused=not all(added))


async def give_back(tx: Transaction, spent: Spent) -> None:
    """Takes a try that was right out of the count again."""
    await Guesses(tx).take_out(spent.subjects, spent.time)


def client(address: str) -> Bound:
    """Bounds what one client address may try; IPv6 counts by the network that one customer has."""
    found = address_of(address)
    if isinstance(found, ipaddress.IPv6Address):
        address = str(ipaddress.ip_network((found, 64), strict=False))
    return Bound(f"client {address}", MOST_ADDRESS)


def _exhausted(oldest: datetime | None, now: datetime) -> TooManyTries:
    left = (oldest + WINDOW - now).total_seconds() if oldest is not None else 0.0
    return TooManyTries("Too many tries; wait before the next one.", retry_after=max(1.0, left))

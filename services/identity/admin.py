"""What only who runs the suite may do: the first administrator, platform-wide credentials, key rotation.

    python -m services.identity.admin --help

Reads WRTN_DATABASE_URL and WRTN_KEY_FILE, as the service does. The service need not run; if it does, it
learns of every change by its events.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Coroutine, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from chassis import settings
from chassis.access.scopes import SCOPES
from chassis.audit.recording import AuditTrail
from chassis.blobs import Blobs
from chassis.clock import Clock
from chassis.crypto import Keyring
from chassis.database import Database, Scope
from chassis.errors import DomainError
from services.identity.credentials import credentials
from services.identity.credentials.signing import Signer
from services.identity.members import addresses, members
from services.identity.members.members import Person
from services.identity.models import PLATFORM
from services.identity.personal_data import erasures
from services.identity.settings import AdminSettings
from services.identity.sign_in.passwords import Passwords
from services.identity.staff import staff
from services.identity.store import Members
from wrtn.access.v1.access_pb2 import STAFF_RIGHT_ADMINISTRATOR

Command = Callable[["Admin", argparse.Namespace], Coroutine[Any, Any, None]]


class Refused(Exception):
    """The command cannot be done; the message says why, to the one at the terminal."""


class Admin:
    """The commands."""

    def __init__(self, db: Database, keyring: Keyring, clock: Clock, blobs: Blobs | None = None) -> None:
        self._db = db
        self._keyring = keyring
        self._clock = clock
        self._blobs = blobs

    async def appoint_administrator(self, asked: argparse.Namespace) -> None:
        """Makes the member with this verified address an administrator; with --create, the member too."""
        address = addresses.parsed(asked.email)
        member_id = await self._owner_of(address)
        if member_id is None:
            if not asked.create:
                raise Refused("nobody has verified this address; register it first, or add --create")
            member_id = await self._create(address, asked)
        async with self._db.transaction(Scope.of(PLATFORM, member_id=member_id)) as tx:
            changed = await staff.appoint(tx, self._keyring, member_id, STAFF_RIGHT_ADMINISTRATOR, None)
        say("member", member_id)
        say("administrator", "appointed" if changed else "is one already")

    async def create_credential(self, asked: argparse.Namespace) -> None:
        """Makes a platform-wide credential, and prints its secret, this once."""
        async with self._db.transaction(Scope.of(PLATFORM)) as tx:
            wanted = credentials.Wanted(PLATFORM, asked.name, sorted(set(asked.scope)))
            credential, secret = await credentials.create(tx, wanted)
        say("credential", credential.id)
        say("secret", secret)

    async def rotate_credential(self, asked: argparse.Namespace) -> None:
        """Gives a platform-wide credential a new secret, and prints it, this once."""
        overlap = timedelta(hours=asked.overlap_hours)
        async with self._db.transaction(Scope.of(PLATFORM)) as tx:
            rotated, secret = await credentials.rotate(tx, PLATFORM, asked.id, overlap)
        say("secret", secret)
        say("old secret good until", rotated.old_secret_expire_time or "now")

    async def revoke_credential(self, asked: argparse.Namespace) -> None:
        """Revokes a platform-wide credential; its tokens end within seconds."""
        async with self._db.transaction(Scope.of(PLATFORM)) as tx:
            revoked = await credentials.revoke(tx, PLATFORM, asked.id)
        say("revoked", revoked.revoke_time)

    async def apply_erasures(self, _: argparse.Namespace) -> None:
        """Erases again whom the journal names: after a restore, before the suite serves. Services do it."""
        if self._blobs is None:
            raise Refused("WRTN_BLOB_URL is not set: it says where the journal is")
        count = 0
        async for text in self._blobs.notes(erasures.JOURNAL):
            async with self._db.transaction(Scope.of(PLATFORM)) as tx:
                await erasures.apply_again(tx, self._keyring, json.loads(text))
            count += 1
        say("erasures begun", count)

    async def rotate_signing_key(self, _: argparse.Namespace) -> None:
        """Adds a signing key; it signs once every service has had the time to fetch it."""
        say("key", await Signer(self._db, self._keyring, self._clock).rotate())

    async def _owner_of(self, address: str) -> UUID | None:
        address_hash = self._keyring.lookup(addresses.PURPOSE, addresses.same(address))
        async with self._db.snapshot(Scope()) as snapshot:
            return await Members(snapshot).owner_of(address_hash)

    async def _create(self, address: str, asked: argparse.Namespace) -> UUID:
        passwords = Passwords(threads=1)
        password = sys.stdin.readline().rstrip("\n") if asked.password_stdin else self._clock.secret(18)
        await passwords.check_strength(password, address, asked.display_name)
        person = Person(self._clock.new_id(), address, asked.display_name, await passwords.hash(password))
        await passwords.stop()
        account_id = self._clock.new_id()
        async with self._db.transaction(Scope.of(account_id, member_id=person.id)) as tx:
            if not await members.add_verified(tx, self._keyring, person, account_id):
                raise Refused("somebody verified this address just now")
        if not asked.password_stdin:
            say("password", password)
        return person.id


def say(name: str, value: object) -> None:
    """Prints one line, as scripts can read it."""
    sys.stdout.write(f"{name}: {value}\n")


def parser() -> argparse.ArgumentParser:
    """Answers the commands and their options."""
    top = argparse.ArgumentParser(prog="python -m services.identity.admin", description=__doc__)
    commands = top.add_subparsers(required=True, metavar="command")

    def command(name: str, run: Command) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=run.__doc__, description=run.__doc__)
        made.set_defaults(run=run)
        return made

    appoint = command("appoint-administrator", Admin.appoint_administrator)
    appoint.add_argument("--email", required=True, help="a verified address of the member")
    appoint.add_argument("--create", action="store_true", help="make the member if nobody has the address")
    appoint.add_argument("--display-name", default="Administrator", help="of the member to make")
    appoint.add_argument(
        "--password-stdin",
        action="store_true",
        help="read the password of the member to make; else print one",
    )
    create = command("create-credential", Admin.create_credential)
    create.add_argument("--platform", action="store_true", required=True, help="it reaches every tenant")
    create.add_argument("--name", required=True, help="what the credential is called")
    create.add_argument("--scope", required=True, action="append", choices=SCOPES)
    rotate = command("rotate-credential", Admin.rotate_credential)
    rotate.add_argument("--id", required=True, type=UUID, help="of a platform-wide credential")
    rotate.add_argument("--overlap-hours", type=float, default=24, help="how long the old secret stays good")
    revoke = command("revoke-credential", Admin.revoke_credential)
    revoke.add_argument("--id", required=True, type=UUID, help="of a platform-wide credential")
    command("apply-erasures", Admin.apply_erasures)
    command("rotate-signing-key", Admin.rotate_signing_key)
    return top


async def perform(asked: argparse.Namespace, chosen: AdminSettings) -> None:
    """Runs one command; raises Refused or a DomainError."""
    clock = Clock()
    db = Database(chosen.database_url, pool_size=1, clock=clock)
    keyring = Keyring.from_file(chosen.key_file)
    db.auditor = AuditTrail("identity", keyring)
    blobs = Blobs(chosen.blob_url, "identity") if chosen.blob_url else None
    try:
        await asked.run(Admin(db, keyring, clock, blobs), asked)
    finally:
        await db.close()


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command of the command line."""
    asked = parser().parse_args(arguments)
    try:
        asyncio.run(perform(asked, settings.load(AdminSettings)))
    except (Refused, DomainError) as error:
        raise SystemExit(f"refused: {error}") from None


if __name__ == "__main__":
    main()

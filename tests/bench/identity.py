"""Identity, whole, with members who may sign in."""

from __future__ import annotations

import asyncio
import base64
import os
from pathlib import Path

from argon2 import PasswordHasher
from joserfc.jwk import OKPKey

from chassis.clock import Clock
from chassis.crypto import Keyring
from chassis.database import Database, Scope
from chassis.database.roles import Urls
from chassis.service import start
from services.identity.logins import logins
from services.identity.logins.logins import Origin, Proof
from services.identity.main import wire
from services.identity.members import members
from services.identity.members.members import Person
from services.identity.models import LoginMethod
from services.identity.settings import IdentitySettings
from tests.bench.floors import say

MEMBERS = 64
PASSWORD = "seven purple giraffes"
HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
"""As services.identity.sign_in.passwords has it."""
PROOF = Proof((LoginMethod.PASSWORD,))


async def identity(urls: Urls, nats_url: str, folder: Path) -> None:
    """Serves identity with MEMBERS members; says the port."""
    chosen = settings(urls, nats_url, folder)
    async with start("identity", chosen, wire) as running:
        await populate(running.runtime.db, running.runtime.keyring)
        say({"port": running.port, "pid": os.getpid()})
        await asyncio.Event().wait()


async def populate(db: Database, keyring: Keyring) -> None:
    """Adds the members, each with a proven address and as many logins as one may have."""
    clock = Clock()
    password_hash = HASHER.hash(PASSWORD)
    for number in range(MEMBERS):
        person = Person(clock.new_id(), address(number), "Mina Park", password_hash)
        account_id = clock.new_id()
        async with db.transaction(Scope.of(account_id, member_id=person.id)) as tx:
            await members.add_verified(tx, keyring, person, account_id)
            for _ in range(logins.MOST):
                await logins.begin(tx, keyring, person.id, account_id, PROOF, Origin())


def address(number: int) -> str:
    """Answers the address of a member."""
    return f"member-{number % MEMBERS}@example.com"


def settings(urls: Urls, nats_url: str, folder: Path) -> IdentitySettings:
    """Makes the keys and answers the settings."""
    (folder / "peers").mkdir(parents=True, exist_ok=True)
    key = OKPKey.generate_key("Ed25519")
    (folder / "peers" / "identity.pem").write_bytes(key.as_pem(private=False))
    (folder / "peer.pem").write_bytes(key.as_pem(private=True))
    (folder / "key").write_text(base64.b64encode(os.urandom(32)).decode())
    return IdentitySettings(
        grpc_address="127.0.0.1:0",
        metrics_address="127.0.0.1:0",
        database_url=urls.app,
        database_worker_url=urls.worker,
        nats_url=nats_url,
        key_file=folder / "key",
        peer_key_file=folder / "peer.pem",
        peer_keys_dir=folder / "peers",
        identity_address="127.0.0.1:1",
        enterprise_address="127.0.0.1:1",
        sessions_address="127.0.0.1:1",
        billing_address="127.0.0.1:1",
        analytics_address="127.0.0.1:1",
        blob_url=(folder / "blobs").as_uri(),
        smtp_url="smtp://127.0.0.1:1",
        mail_from="bench@example.com",
        production=True,
        log_level="WARNING",
    )

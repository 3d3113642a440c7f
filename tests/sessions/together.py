"""Sessions over the real identity, in one process: real members, real tokens, real events."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

from chassis.auth.tokens import AccessToken
from chassis.database import Scope
from chassis.embedded.nats import Nats
from chassis.embedded.postgres import Postgres
from chassis.service import Parts, Runtime, start
from chassis.testing.callers import Callers, Known
from chassis.testing.databases import DatabaseFactory, ServiceDatabase
from services.identity.credentials import credentials
from services.identity.credentials.credentials import Wanted
from services.identity.models import PLATFORM
from services.sessions.main import wire
from services.sessions.settings import SessionsSettings
from tests.identity import make
from tests.identity.make import SignedIn
from tests.identity.service import Identity, serving
from tests.identity.service import settings as identity_settings
from tests.identity.smtp_server import Mailbox, smtp_server
from tests.sessions.make import RECORD, Session, Sessions, settings
from wrtn.identity.v1 import auth_pb2, transfers_pb2


@dataclass
class Both:
    """The two services, and a credential that records."""

    identity: Identity
    sessions: Sessions
    credential: Known

    async def session(self, owner: SignedIn) -> Session:
        """Creates a session of a member."""
        return await self.sessions.session(known(owner), self.credential)


def known(signed_in: SignedIn) -> Known:
    """Answers a member as the tests of sessions know callers; the tenant is that of a personal account."""
    account_id = UUID(signed_in.account_id)
    token = AccessToken(UUID(signed_in.member_id), None, account_id)
    return Known(token, account_id, signed_in.pair.access_token)


async def hand_over(both: Both, giver: SignedIn, receiver: SignedIn) -> SignedIn:
    """Transfers a personal account by offer and acceptance; answers the receiver acting by it."""
    transfers = both.identity.transfers
    offered = await transfers.OfferAccount(
        transfers_pb2.OfferAccountRequest(account_id=giver.account_id, receiver_member_id=receiver.member_id),
        metadata=giver.metadata,
    )
    await transfers.AcceptTransfer(
        transfers_pb2.AcceptTransferRequest(transfer_id=offered.id), metadata=receiver.metadata
    )
    pair = await make.refresh(both.identity, receiver.pair.refresh_token, giver.account_id)
    return SignedIn(receiver.email, pair)


@asynccontextmanager
async def both_served(
    database: DatabaseFactory, nats: Nats, callers: Callers, postgres: Postgres, folder: Path
) -> AsyncIterator[Both]:
    """Serves identity and sessions over fresh databases."""
    of_identity, of_sessions = await database("identity"), await database("sessions")
    async with smtp_server(Mailbox()) as mailbox:
        chosen = identity_settings(of_identity, nats, mailbox, callers, folder)
        admin_url = postgres.url(of_identity.name)
        async with (
            serving(chosen, of_identity, mailbox, callers, admin_url) as identity,
            together(identity, of_sessions, nats, callers, folder) as made,
        ):
            yield made


@asynccontextmanager
async def together(
    identity: Identity, database: ServiceDatabase, nats: Nats, callers: Callers, folder: Path
) -> AsyncIterator[Both]:
    """Serves sessions beside identity, and asks enterprise nothing: every account here is personal."""
    address = f"127.0.0.1:{identity.running.port}"
    chosen = replace(settings(database, nats.url, callers, folder), identity_address=address)

    def wired(runtime: Runtime[SessionsSettings]) -> Parts:
        parts = wire(runtime)
        parts.access_source = callers.access
        return parts

    async with start("sessions", chosen, wired) as running:
        channel = running.channel()
        await running.runtime.bus.ready()
        await identity.running.runtime.bus.ready()
        try:
            yield Both(
                identity,
                Sessions(running, database, channel, callers, nats, folder),
                await _recorder(identity),
            )
        finally:
            await channel.close()


async def _recorder(identity: Identity) -> Known:
    """Makes a platform-wide credential, as the command line does, and gets its token."""
    async with identity.running.runtime.db.transaction(Scope.of(PLATFORM)) as tx:
        made, secret = await credentials.create(tx, Wanted(PLATFORM, "recorder", [RECORD]))
    request = auth_pb2.IssueServiceTokenRequest(credential_id=str(made.id), secret=secret)
    issued = await identity.auth.IssueServiceToken(request)
    return Known(AccessToken(credential_id=made.id), None, issued.access_token)

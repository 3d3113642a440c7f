"""The single sign-on of enterprises: setting it, and finding it by the domain of an address."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from chassis.crypto import Keyring
from chassis.database import Database, Scope, Snapshot, Transaction
from chassis.outbound import Outbound, OutboundRefused
from services.identity.errors import (
    ClientSecretMissing,
    IssuerRefused,
    IssuerUnusable,
    ProviderUnavailable,
    SingleSignOnNotFound,
)
from services.identity.federation.domains import Domains
from services.identity.federation.oidc.client import Client
from services.identity.federation.oidc.providers import Provider
from services.identity.models import SingleSignOn
from services.identity.store import SingleSignOns

_SECRET = "client_secret"  # noqa: S105 - the context that binds a ciphertext to its column


@dataclass(frozen=True, slots=True)
class Wanted:
    """A connection to be set. An empty secret keeps the one there is."""

    tenant_id: UUID
    display_name: str
    issuer: str
    client_id: str
    client_secret: str
    link_employees: bool


class Connections:
    """Finds the connections of enterprises, and checks new ones with their providers."""

    def __init__(
        self, db: Database, keyring: Keyring, domains: Domains, client: Client, guarded: Outbound
    ) -> None:
        self._db = db
        self._keyring = keyring
        self._client = client
        self._guarded = guarded
        self.domains = domains

    async def of_address(self, address: str) -> Provider | None:
        """Answers the connection by which addresses of this domain sign in."""
        tenant_id = await self.domains.owner_of(address)
        return await self.of_tenant(tenant_id) if tenant_id is not None else None

    async def of_tenant(self, tenant_id: UUID) -> Provider | None:
        """Answers the connection of an enterprise, ready to be used."""
        async with self._db.snapshot(Scope.of(tenant_id)) as snapshot:
            row = await SingleSignOns(snapshot, tenant_id).get()
            if row is None:
                return None
            return await _provider(snapshot, self._keyring, row)

    async def check(self, wanted: Wanted) -> None:
        """Asks the provider for its configuration; raises IssuerRefused and IssuerUnusable."""
        issuer = wanted.issuer
        try:
            self._guarded.check(issuer)
            probe = Provider("", "", issuer, wanted.client_id, "", tenant_id=wanted.tenant_id)
            await self._client.discovery(probe).metadata(issuer, fresh=True)
        except OutboundRefused as error:
            raise IssuerRefused("The issuer is no public https address.", field="issuer") from error
        except ProviderUnavailable as error:
            raise IssuerUnusable(
                "The configuration of the issuer cannot be read, or is another issuer's."
            ) from error


async def put(tx: Transaction, keyring: Keyring, wanted: Wanted) -> SingleSignOn:
    """Sets the connection; raises ClientSecretMissing if there is no secret to keep."""
    connections = SingleSignOns(tx, wanted.tenant_id)
    before = await connections.get(lock=True)
    same = before is not None and (before.issuer, before.client_id) == (wanted.issuer, wanted.client_id)
    key = await keyring.key(tx, wanted.tenant_id)
    if wanted.client_secret:
        secret = key.encrypt(wanted.client_secret.encode(), wanted.tenant_id, _SECRET)
    elif before is not None and same:
        secret = before.client_secret
    else:
        # Another issuer must not be sent the secret that was meant for the one before.
        raise ClientSecretMissing("Give the client's secret.", field="client_secret")
    row = await connections.put(
        {
            "id": tx.clock.new_id(),
            "display_name": wanted.display_name,
            "issuer": wanted.issuer,
            "client_id": wanted.client_id,
            "client_secret": secret,
            "link_employees": wanted.link_employees,
            "create_time": tx.now,
            "update_time": tx.now,
        }
    )
    tx.audit("single_sign_on.set", tenant_id=wanted.tenant_id, target_id=row.id, issuer=wanted.issuer)
    return row


async def get(snapshot: Snapshot, tenant_id: UUID) -> SingleSignOn:
    """Answers the connection; raises SingleSignOnNotFound."""
    row = await SingleSignOns(snapshot, tenant_id).get()
    if row is None:
        raise SingleSignOnNotFound("The enterprise has no single sign-on.")
    return row


async def remove(tx: Transaction, tenant_id: UUID) -> None:
    """Removes the connection, once."""
    connection_id = await SingleSignOns(tx, tenant_id).delete()
    if connection_id is not None:
        tx.audit("single_sign_on.removed", tenant_id=tenant_id, target_id=connection_id)


async def _provider(snapshot: Snapshot, keyring: Keyring, row: SingleSignOn) -> Provider:
    key = await keyring.key(snapshot, row.tenant_id)
    return Provider(
        id=str(row.id),
        display_name=row.display_name,
        issuer=row.issuer,
        client_id=row.client_id,
        client_secret=key.decrypt(row.client_secret, row.tenant_id, _SECRET).decode(),
        tenant_id=row.tenant_id,
        link_employees=row.link_employees,
    )

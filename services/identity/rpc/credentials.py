"""wrtn.identity.v1 CredentialService."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import grpc

from chassis import masks
from chassis.access.principals import Principals
from chassis.database import Database, Scope, Transaction
from chassis.idempotency import once
from chassis.paging import Page, time_and_id
from services.identity import convert
from services.identity.credentials import credentials
from services.identity.credentials.credentials import Wanted
from services.identity.store import Credentials
from wrtn.identity.v1 import credentials_pb2
from wrtn.identity.v1.credentials_pb2_grpc import CredentialServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class CredentialRpc(CredentialServiceServicer):
    """wrtn.identity.v1 CredentialService. The access rule has proven who keeps the credentials."""

    def __init__(self, db: Database, cache: Principals) -> None:
        self._db = db
        self._cache = cache

    async def CreateServiceCredential(
        self, request: credentials_pb2.CreateServiceCredentialRequest, context: Context
    ) -> credentials_pb2.CreateServiceCredentialResponse:
        """The secret is in this answer alone."""
        tenant_id = UUID(request.enterprise_id)
        expire_time = convert.moment(request, "expire_time")
        wanted = Wanted(tenant_id, request.display_name, request.scopes, expire_time)

        async def work(tx: Transaction) -> credentials_pb2.CreateServiceCredentialResponse:
            made, secret = await credentials.create(tx, wanted)
            return credentials_pb2.CreateServiceCredentialResponse(
                credential=convert.credential(made), secret=secret
            )

        return await once(self._db, Scope.of(tenant_id), request, work)

    async def ListServiceCredentials(
        self, request: credentials_pb2.ListServiceCredentialsRequest, context: Context
    ) -> credentials_pb2.ListServiceCredentialsResponse:
        """The credentials of the enterprise."""
        page = Page.of(request)
        tenant_id = UUID(request.enterprise_id)
        before = page.after(time_and_id)
        async with self._db.snapshot(Scope.of(tenant_id)) as snapshot:
            rows = await Credentials(snapshot, tenant_id).newest(before, page.size + 1)
        found, token = page.cut(rows, key=lambda row: (row.create_time.isoformat(), str(row.id)))
        return credentials_pb2.ListServiceCredentialsResponse(
            service_credentials=map(convert.credential, found), next_page_token=token
        )

    async def UpdateServiceCredential(
        self, request: credentials_pb2.UpdateServiceCredentialRequest, context: Context
    ) -> credentials_pb2.ServiceCredential:
        """Changes the name, and nothing else."""
        tenant_id, credential_id = UUID(request.enterprise_id), UUID(request.service_credential.id)
        changes = masks.changes(request.service_credential, request.update_mask, allowed=("display_name",))

        async def work(tx: Transaction) -> credentials_pb2.ServiceCredential:
            renamed = await credentials.rename(tx, tenant_id, credential_id, changes["display_name"])
            return convert.credential(renamed)

        return await once(self._db, Scope.of(tenant_id), request, work)

    async def RotateServiceCredential(
        self, request: credentials_pb2.RotateServiceCredentialRequest, context: Context
    ) -> credentials_pb2.RotateServiceCredentialResponse:
        """The new secret is in this answer alone."""
        tenant_id, credential_id = UUID(request.enterprise_id), UUID(request.credential_id)
        overlap = request.overlap.ToTimedelta() if request.HasField("overlap") else credentials.OVERLAP

        async def work(tx: Transaction) -> credentials_pb2.RotateServiceCredentialResponse:
            rotated, secret = await credentials.rotate(tx, tenant_id, credential_id, overlap)
            return credentials_pb2.RotateServiceCredentialResponse(
                credential=convert.credential(rotated), secret=secret
            )

        return await once(self._db, Scope.of(tenant_id), request, work)

    async def RevokeServiceCredential(
        self, request: credentials_pb2.RevokeServiceCredentialRequest, context: Context
    ) -> credentials_pb2.ServiceCredential:
        """This process knows at once, the others by the event."""
        tenant_id, credential_id = UUID(request.enterprise_id), UUID(request.credential_id)

        async def work(tx: Transaction) -> credentials_pb2.ServiceCredential:
            revoked = await credentials.revoke(tx, tenant_id, credential_id)
            tx.after_commit(lambda: self._cache.drop([credential_id]))
            return convert.credential(revoked)

        return await once(self._db, Scope.of(tenant_id), request, work)

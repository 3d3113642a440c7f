"""wrtn.identity.v1 ApiKeyService."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import grpc

from chassis import call
from chassis.access.principals import Principals
from chassis.crypto import Keyring
from chassis.database import Database, Scope, Transaction
from chassis.idempotency import once
from chassis.paging import Page, time_and_id
from services.identity import convert
from services.identity.accounts import accounts
from services.identity.credentials import credentials, keys
from services.identity.models import CredentialKind
from services.identity.rpc.callers import member_of, signed_in
from services.identity.store import ApiKeys, Credentials
from wrtn.identity.v1 import api_keys_pb2
from wrtn.identity.v1.api_keys_pb2_grpc import ApiKeyServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class ApiKeyRpc(ApiKeyServiceServicer):
    """wrtn.identity.v1 ApiKeyService."""

    def __init__(self, db: Database, keyring: Keyring, cache: Principals) -> None:
        self._db = db
        self._keyring = keyring
        self._cache = cache

    async def CreateApiKey(
        self, request: api_keys_pb2.CreateApiKeyRequest, context: Context
    ) -> api_keys_pb2.CreateApiKeyResponse:
        """The key is in this answer alone."""
        caller = call.current().caller
        member_id, _ = signed_in(caller)
        async with self._db.snapshot(Scope.of(member_id=member_id)) as snapshot:
            named = UUID(request.account_id or str(caller.account_id))
            account = await accounts.get_held(snapshot, member_id, named)
        wanted = keys.Wanted(
            member_id,
            account,
            request.display_name,
            request.scopes,
            convert.moment(request, "expire_time"),
        )

        async def work(tx: Transaction) -> api_keys_pb2.CreateApiKeyResponse:
            made, text = await keys.create(tx, self._keyring, wanted)
            shown = convert.member_key(made, request.display_name)
            return api_keys_pb2.CreateApiKeyResponse(api_key=shown, key=text)

        return await once(self._db, Scope.of(account.tenant_id, member_id=member_id), request, work)

    async def ListApiKeys(
        self, request: api_keys_pb2.ListApiKeysRequest, context: Context
    ) -> api_keys_pb2.ListApiKeysResponse:
        """The keys of the member, on every account."""
        page = Page.of(request)
        member_id = member_of(call.current().caller)
        before = page.after(time_and_id)
        async with self._db.snapshot(Scope.of(member_id=member_id)) as snapshot:
            rows = await ApiKeys(snapshot).newest(member_id, before, page.size + 1)
            data_key = await self._keyring.key(snapshot, member_id)
        found, token = page.cut(rows, key=lambda row: (row.create_time.isoformat(), str(row.id)))
        shown = (convert.member_key(row, keys.name_of(data_key, row.id, row.display_name)) for row in found)
        return api_keys_pb2.ListApiKeysResponse(api_keys=shown, next_page_token=token)

    async def RevokeApiKey(
        self, request: api_keys_pb2.RevokeApiKeyRequest, context: Context
    ) -> api_keys_pb2.ApiKey:
        """This process knows at once, the others by the event."""
        member_id, _ = signed_in(call.current().caller)
        key_id = UUID(request.api_key_id)

        async def work(tx: Transaction) -> api_keys_pb2.ApiKey:
            revoked = await keys.revoke(tx, member_id, key_id)
            tx.after_commit(lambda: self._cache.drop([member_id]))
            data_key = await self._keyring.key(tx, member_id)
            return convert.member_key(revoked, keys.name_of(data_key, revoked.id, revoked.display_name))

        return await once(self._db, Scope.of(member_id=member_id), request, work)

    async def CreateEnterpriseApiKey(
        self, request: api_keys_pb2.CreateEnterpriseApiKeyRequest, context: Context
    ) -> api_keys_pb2.CreateEnterpriseApiKeyResponse:
        """The key is in this answer alone."""
        tenant_id = UUID(request.enterprise_id)
        expire_time = convert.moment(request, "expire_time")
        wanted = credentials.Wanted(tenant_id, request.display_name, request.scopes, expire_time)

        async def work(tx: Transaction) -> api_keys_pb2.CreateEnterpriseApiKeyResponse:
            made, text = await credentials.create_key(tx, wanted)
            return api_keys_pb2.CreateEnterpriseApiKeyResponse(api_key=convert.enterprise_key(made), key=text)

        return await once(self._db, Scope.of(tenant_id), request, work)

    async def ListEnterpriseApiKeys(
        self, request: api_keys_pb2.ListEnterpriseApiKeysRequest, context: Context
    ) -> api_keys_pb2.ListEnterpriseApiKeysResponse:
        """The keys of the enterprise; those of its employees are their own business."""
        page = Page.of(request)
        tenant_id = UUID(request.enterprise_id)
        before = page.after(time_and_id)
        async with self._db.snapshot(Scope.of(tenant_id)) as snapshot:
            kept = Credentials(snapshot, tenant_id, CredentialKind.API_KEY)
            rows = await kept.newest(before, page.size + 1)
        found, token = page.cut(rows, key=lambda row: (row.create_time.isoformat(), str(row.id)))
        return api_keys_pb2.ListEnterpriseApiKeysResponse(
            api_keys=map(convert.enterprise_key, found), next_page_token=token
        )

    async def RevokeEnterpriseApiKey(
        self, request: api_keys_pb2.RevokeEnterpriseApiKeyRequest, context: Context
    ) -> api_keys_pb2.ApiKey:
        """This process knows at once, the others by the event."""
        tenant_id, key_id = UUID(request.enterprise_id), UUID(request.api_key_id)

        async def work(tx: Transaction) -> api_keys_pb2.ApiKey:
            revoked = await credentials.revoke(tx, tenant_id, key_id, CredentialKind.API_KEY)
            tx.after_commit(lambda: self._cache.drop([key_id]))
            return convert.enterprise_key(revoked)

        return await once(self._db, Scope.of(tenant_id), request, work)

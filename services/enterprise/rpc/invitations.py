"""wrtn.enterprise.v1 InvitationService."""

from __future__ import annotations

from collections import defaultdict
from typing import Any
from uuid import UUID

import grpc

from chassis.call import current
from chassis.crypto import Keyring
from chassis.database import Database, Scope
from chassis.idempotency import once, replayed
from chassis.paging import Page
from services.enterprise import convert
from services.enterprise.errors import InvitationInvalid
from services.enterprise.identity import Identity
from services.enterprise.invitations import invitations, invitees
from services.enterprise.invitations.invitees import Token
from services.enterprise.models import InvitationState
from services.enterprise.rpc.asking import sure
from services.enterprise.rpc.deciding import Deciding
from services.enterprise.store import Enterprises, Invitations, invited
from wrtn.enterprise.v1 import invitations_pb2 as pb
from wrtn.enterprise.v1.invitations_pb2_grpc import InvitationServiceServicer

_MOST_MINE = 200

Context = grpc.aio.ServicerContext[Any, Any]


class InvitationRpc(InvitationServiceServicer):
    """Invites people, and lets them answer."""

    def __init__(self, db: Database, keyring: Keyring, identity: Identity, deciding: Deciding) -> None:
        self._db = db
        self._keyring = keyring
        self._identity = identity
        self._deciding = deciding

    async def CreateInvitation(self, request: pb.CreateInvitationRequest, context: Context) -> pb.Invitation:
        """Invites an address."""
        return await self._deciding.decide(request.enterprise_id, request, invitations.create)

    async def GetInvitation(self, request: pb.GetInvitationRequest, context: Context) -> pb.Invitation:
        """Gets the invitation."""
        tenant_id = UUID(request.enterprise_id)
        async with self._db.snapshot(current().caller.scope) as tx:
            row = await invitations.get(tx, tenant_id, UUID(request.invitation_id))
            enterprise = await Enterprises(tx, tenant_id).get()
            key = await self._keyring.key(tx, tenant_id)
            return convert.invitation(row, enterprise, invitations.opened_address(key, row), tx.now)

    async def ListInvitations(
        self, request: pb.ListInvitationsRequest, context: Context
    ) -> pb.ListInvitationsResponse:
        """Lists the invitations, the newest first."""
        page = Page.of(request)
        tenant_id = UUID(request.enterprise_id)
        async with self._db.snapshot(current().caller.scope) as tx:
            found = await Invitations(tx, tenant_id).page(page.after(UUID), page.size + 1)
            rows, token = page.cut(found, key=lambda row: (str(row.id),))
            if not rows:
                return pb.ListInvitationsResponse()
            enterprise = await Enterprises(tx, tenant_id).get()
            key = await self._keyring.key(tx, tenant_id)
            shown = [
                convert.invitation(row, enterprise, invitations.opened_address(key, row), tx.now)
                for row in rows
            ]
        return pb.ListInvitationsResponse(invitations=shown, next_page_token=token)

    async def ResendInvitation(self, request: pb.ResendInvitationRequest, context: Context) -> pb.Invitation:
        """Sends the mail again."""
        return await self._deciding.decide(request.enterprise_id, request, invitations.resend)

    async def RevokeInvitation(self, request: pb.RevokeInvitationRequest, context: Context) -> pb.Invitation:
        """Revokes the invitation."""
        return await self._deciding.decide(request.enterprise_id, request, invitations.revoke)

    async def ListMyInvitations(
        self, request: pb.ListMyInvitationsRequest, context: Context
    ) -> pb.ListMyInvitationsResponse:
        """Lists those to the caller's addresses: found in the directory, then read as their tenants."""
        mine = await self._mine(sure(current().caller.member_id))
        async with self._db.snapshot(Scope()) as tx:
            entries = await invited(tx, mine, _MOST_MINE)
        by_tenant: dict[UUID, list[UUID]] = defaultdict(list)
        for entry in entries:
            by_tenant[entry.tenant_id].append(entry.invitation_id)
        found = [each for tenant_id, ids in by_tenant.items() for each in await self._open(tenant_id, ids)]
        found.sort(key=lambda each: each.id, reverse=True)
        return pb.ListMyInvitationsResponse(invitations=found)

    async def AcceptInvitation(
        self, request: pb.AcceptInvitationRequest, context: Context
    ) -> pb.AcceptInvitationResponse:
        """Employs the caller, then has their account opened."""
        accepted = await replayed(self._db, request, pb.AcceptInvitationResponse)
        member_id = sure(current().caller.member_id)
        if accepted is None:
            await self._identity.require_acting(current().caller)
            mine, wanted = await self._mine(member_id), _wanted(request)
            accepted = await once(
                self._db,
                Scope.of(invitations.tenant_of(wanted), member_id=member_id),
                request,
                lambda tx: invitations.accept(tx, self._keyring, member_id, wanted, mine),
            )
        await self._identity.open_account(
            account_id=accepted.account_id, enterprise_id=accepted.enterprise_id, member_id=member_id
        )
        return accepted

    async def DeclineInvitation(
        self, request: pb.DeclineInvitationRequest, context: Context
    ) -> pb.Invitation:
        """Declines the invitation."""
        member_id = sure(current().caller.member_id)
        mine, wanted = await self._mine(member_id), _wanted(request)
        return await once(
            self._db,
            Scope.of(invitations.tenant_of(wanted), member_id=member_id),
            request,
            lambda tx: invitations.decline(tx, self._keyring, wanted, mine),
        )

    async def _mine(self, member_id: UUID) -> set[bytes]:
        """Answers the hashes of the member's verified addresses, asked of identity at this moment."""
        addresses = await self._identity.addresses(member_id)
        return {self._keyring.lookup(invitees.PURPOSE, invitees.same(each)) for each in addresses}

    async def _open(self, tenant_id: UUID, ids: list[UUID]) -> list[pb.Invitation]:
        async with self._db.snapshot(Scope.of(tenant_id)) as tx:
            enterprise = await Enterprises(tx, tenant_id).get()
            key = await self._keyring.key(tx, tenant_id)
            rows = [await invitations.get(tx, tenant_id, each) for each in ids]
            return [
                convert.invitation(row, enterprise, invitations.opened_address(key, row), tx.now)
                for row in rows
                if invitations.state_of(row, tx) == InvitationState.OPEN
            ]


def _wanted(request: pb.AcceptInvitationRequest | pb.DeclineInvitationRequest) -> Token | pb.InvitationRef:
    """Answers which invitation is meant; raises InvitationInvalid for a text that is no token."""
    if request.HasField("ref"):
        return request.ref
    token = invitees.read_token(request.token)
    if token is None:
        raise InvitationInvalid("The token is none of an invitation.", field="token")
    return token

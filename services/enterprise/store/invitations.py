"""The queries on invitations."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert

from chassis.database import Snapshot
from services.enterprise.models import Invitation, InvitationState, InvitedAddress
from services.enterprise.store.rows import Rows


class Invitations(Rows):
    """The invitations of the enterprise."""

    async def get(self, invitation_id: UUID, *, lock: bool = False) -> Invitation | None:
        """Answers the invitation; with `lock` no other transaction changes it until this one ends."""
        return await self._session.get(
            Invitation, (self._tenant_id, invitation_id), with_for_update=lock or None
        )

    async def page(self, before: UUID | None, size: int) -> Sequence[Invitation]:
        """Answers the invitations with lesser ids, the newest first."""
        wanted = select(Invitation).where(Invitation.tenant_id == self._tenant_id)
        if before is not None:
            wanted = wanted.where(Invitation.id < before)
        return (await self._session.scalars(wanted.order_by(Invitation.id.desc()).limit(size))).all()

    async def expire(self, address_hash: bytes, now: datetime) -> None:
        """Gives the open invitation of the address, if its time is over, the state that says so."""
        over = (
            update(Invitation)
            .where(
                Invitation.tenant_id == self._tenant_id,
                Invitation.address_hash == address_hash,
                Invitation.state == InvitationState.OPEN,
                Invitation.expire_time <= now,
            )
            .values(state=InvitationState.EXPIRED)
        )
        for invitation_id in (await self._session.scalars(over.returning(Invitation.id))).all():
            await self.unlist(invitation_id)

    async def add(self, row: Invitation) -> bool:
        """Adds an open invitation; answers False if the address has one here, or is about to."""
        values = {each.name: getattr(row, each.name) for each in Invitation.__table__.columns}
        added = insert(Invitation).values(values)
        known = added.on_conflict_do_nothing(
            index_elements=["address_hash", "tenant_id"],
            index_where=Invitation.state == InvitationState.OPEN,
        )
        return await self._session.scalar(known.returning(Invitation.id)) is not None

    async def open_to(self, address_hash: bytes) -> bool:
        """Whether the address has an open invitation here. It stays so behind the enterprise's lock."""
        wanted = select(Invitation.id).where(
            Invitation.tenant_id == self._tenant_id,
            Invitation.address_hash == address_hash,
            Invitation.state == InvitationState.OPEN,
        )
        return await self._session.scalar(wanted) is not None

    async def list_for_owner(self, row: Invitation) -> None:
        """Enters the invitation into the directory."""
        values = {
            "tenant_id": self._tenant_id,
            "invitation_id": row.id,
            "address_hash": row.address_hash,
        }
        await self._session.execute(insert(InvitedAddress).values(values).on_conflict_do_nothing())

    async def unlist(self, invitation_id: UUID) -> None:
        """Takes the invitation out of the directory."""
        await self._session.execute(
            delete(InvitedAddress).where(
                InvitedAddress.tenant_id == self._tenant_id, InvitedAddress.invitation_id == invitation_id
            )
        )


async def invited(tx: Snapshot, address_hashes: Collection[bytes], size: int) -> Sequence[InvitedAddress]:
    """Answers the directory's entries of these addresses, the newest first."""
    wanted = select(InvitedAddress).where(InvitedAddress.address_hash.in_(address_hashes))
    ordered = wanted.order_by(InvitedAddress.invitation_id.desc()).limit(size)
    return (await tx.session.scalars(ordered)).all()

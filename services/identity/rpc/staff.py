"""wrtn.identity.v1 StaffService."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import grpc

from chassis import call
from chassis.crypto import KeyDestroyed, Keyring
from chassis.database import Database, Scope, Transaction
from chassis.idempotency import once
from chassis.paging import Page, time_and_id
from services.identity import convert
from services.identity.members import addresses, members
from services.identity.members.members import Profile
from services.identity.models import PLATFORM, Member
from services.identity.rpc.callers import member_of
from services.identity.staff import staff, staff_reads
from services.identity.store import Members, Staffs, admit_member
from wrtn.access.v1.access_pb2 import STAFF_RIGHT_ADMINISTRATOR
from wrtn.identity.v1 import members_pb2
from wrtn.identity.v1 import staff_pb2 as pb
from wrtn.identity.v1.staff_pb2_grpc import StaffServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class StaffRpc(StaffServiceServicer):
    """wrtn.identity.v1 StaffService. The rights that the rule has proven are judged again under the lock."""

    def __init__(self, db: Database, keyring: Keyring) -> None:
        self._db = db
        self._keyring = keyring

    async def AppointStaff(self, request: pb.AppointStaffRequest, context: Context) -> pb.Staff:
        """Gives the right, and answers the record beside the member."""
        decider, member_id = member_of(call.current().caller), UUID(request.member_id)

        async def work(tx: Transaction) -> pb.Staff:
            right, reason = request.staff_right, request.reason
            await staff.appoint(tx, self._keyring, member_id, right, decider, reason)
            return convert.staff(await staff.get(tx, member_id))

        return await once(self._db, Scope.of(PLATFORM, member_id=member_id), request, work)

    async def DismissStaff(
        self, request: pb.DismissStaffRequest, context: Context
    ) -> pb.DismissStaffResponse:
        """Takes the right; what they had open by break-glass is closed to them with it."""
        decider, member_id = member_of(call.current().caller), UUID(request.member_id)

        async def work(tx: Transaction) -> pb.DismissStaffResponse:
            await staff.dismiss(tx, self._keyring, member_id, decider, request.reason)
            return pb.DismissStaffResponse()

        return await once(self._db, Scope.of(PLATFORM, member_id=member_id), request, work)

    async def ListStaff(self, request: pb.ListStaffRequest, context: Context) -> pb.ListStaffResponse:
        """The staff as they were appointed."""
        page = Page.of(request)
        async with staff_reads.opened(self._db, "staff.listed") as snapshot:
            rows = await Staffs(snapshot).page(page.after(time_and_id), page.size + 1)
        found, token = page.cut(rows, key=lambda row: (row.appoint_time.isoformat(), str(row.member_id)))
        return pb.ListStaffResponse(staff=map(convert.staff, found), next_page_token=token)

    async def ListStaffAppointments(
        self, request: pb.ListStaffAppointmentsRequest, context: Context
    ) -> pb.ListStaffAppointmentsResponse:
        """The records, the newest first."""
        page = Page.of(request)
        member_id = UUID(request.member_id) if request.member_id else None
        before = page.after(_place)
        asked = staff_reads.opened(
            self._db, "staff_appointments.listed", right=STAFF_RIGHT_ADMINISTRATOR, target_id=member_id
        )
        async with asked as snapshot:
            rows = await Staffs(snapshot).newest_appointments(member_id, before, page.size + 1)
            found, token = page.cut(
                rows, key=lambda row: (row.create_time.isoformat(), str(row.member_id), str(row.version))
            )
            reasons = [await staff.reason_of(snapshot, self._keyring, row) for row in found]
        return pb.ListStaffAppointmentsResponse(
            staff_appointments=map(convert.staff_appointment, found, reasons), next_page_token=token
        )

    async def SearchMembers(
        self, request: pb.SearchMembersRequest, context: Context
    ) -> pb.SearchMembersResponse:
        """The members, each name under its own key; the search itself is audited."""
        page = Page.of(request)
        before = page.after(time_and_id)
        async with self._db.transaction(Scope.of(PLATFORM)) as tx:
            rows = await self._searched(tx, request, before, page.size + 1)
            found, token = page.cut(rows, key=lambda row: (row.create_time.isoformat(), str(row.id)))
            tx.audit("members.searched", tenant_id=PLATFORM, email=request.email, found=len(found))
            shown = [convert.member(await self._profile(tx, row)) for row in found]
        return pb.SearchMembersResponse(members=shown, next_page_token=token)

    async def _searched(
        self,
        tx: Transaction,
        request: pb.SearchMembersRequest,
        before: tuple[datetime, UUID] | None,
        most: int,
    ) -> Sequence[Member]:
        state = members_pb2.Member.State.Name(request.state).removeprefix("STATE_") if request.state else None
        if not request.email:
            return await Staffs(tx).newest_members(state, before, most)
        sought = self._keyring.lookup(addresses.PURPOSE, addresses.sought(request.email))
        owner = await Members(tx).owner_of(sought)
        found = await Members(tx).get(owner) if owner is not None else None
        return [found] if found is not None and state in (None, found.state) else []

    async def _profile(self, tx: Transaction, row: Member) -> Profile:
        """Answers a member with the name; without one if its key is destroyed."""
        await admit_member(tx, row.id)
        try:
            return await members.profile(tx, self._keyring, row)
        except KeyDestroyed:
            return Profile(row, "")


def _place(moment: str, member_id: str, version: str) -> tuple[datetime, UUID, int]:
    """Reads the place of an appointment: time, member, version."""
    return *time_and_id(moment, member_id), int(version)

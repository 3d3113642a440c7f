"""wrtn.identity.v1 ErasureService."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import grpc

from chassis import call, timestamps
from chassis.crypto import Keyring
from chassis.database import Database, Scope, Transaction
from chassis.idempotency import once
from chassis.operations import Operations, convert
from chassis.paging import Page, time_and_id
from services.identity.accounts.reach import Reach
from services.identity.errors import ErasureReasonMissing
from services.identity.mail.post import Post
from services.identity.members import members
from services.identity.models import PLATFORM, ErasureCertificate
from services.identity.personal_data import certificates, erasures
from services.identity.rpc.callers import given, signed_in
from services.identity.sign_in.proofs import Proofs
from services.identity.staff import staff_reads
from wrtn.access.v1.access_pb2 import STAFF_RIGHT_ADMINISTRATOR
from wrtn.identity.v1 import erasures_pb2
from wrtn.identity.v1.erasures_pb2_grpc import ErasureServiceServicer
from wrtn.operations.v1 import operations_pb2

Context = grpc.aio.ServicerContext[Any, Any]


class ErasureRpc(ErasureServiceServicer):
    """wrtn.identity.v1 ErasureService."""

    def __init__(
        self,
        db: Database,
        keyring: Keyring,
        post: Post,
        proofs: Proofs,
        reach: Reach,
        operations: Operations,
    ) -> None:
        self._db = db
        self._keyring = keyring
        self._post = post
        self._proofs = proofs
        self._reach = reach
        self._operations = operations

    async def EraseMember(
        self, request: erasures_pb2.EraseMemberRequest, context: Context
    ) -> operations_pb2.Operation:
        """For anybody but the member and administrators, the member does not exist."""
        caller = call.current().caller
        own_id, login_id = signed_in(caller)
        member_id = own_id if request.member_id == "me" else UUID(request.member_id)
        if member_id != own_id and caller.staff < STAFF_RIGHT_ADMINISTRATOR:
            raise members.not_found()
        if member_id != own_id and not request.reason.strip():
            raise ErasureReasonMissing("Say why the member is erased.", field="reason")
        erasures.refuse_employed(await self._reach.employers(member_id))
        proven = await self._proofs.prove(own_id, login_id, given(request.proof))

        async def work(tx: Transaction) -> operations_pb2.Operation:
            if member_id == own_id:
                await self._proofs.use(tx, own_id, proven)
            begun = await erasures.ask(tx, self._keyring, self._post, self._operations, member_id, caller)
            tx.audit(
                "member.erasure_asked",
                tenant_id=PLATFORM,
                target_id=member_id,
                reason=request.reason,
                operation=begun.id,
            )
            return convert.operation(begun)

        return await once(self._db, Scope.of(PLATFORM, member_id=member_id), request, work)

    async def ListErasureCertificates(
        self, request: erasures_pb2.ListErasureCertificatesRequest, context: Context
    ) -> erasures_pb2.ListErasureCertificatesResponse:
        """Of all members."""
        page = Page.of(request)
        async with staff_reads.opened(
            self._db, "erasure_certificates.listed", right=STAFF_RIGHT_ADMINISTRATOR
        ) as snapshot:
            rows = await certificates.page(snapshot, page.after(time_and_id), page.size + 1)
        found, token = page.cut(rows, key=lambda row: (row.create_time.isoformat(), str(row.id)))
        return erasures_pb2.ListErasureCertificatesResponse(
            certificates=map(_certificate, found), next_page_token=token
        )

    async def GetErasureCertificate(
        self, request: erasures_pb2.GetErasureCertificateRequest, context: Context
    ) -> erasures_pb2.ErasureCertificate:
        """Of any member."""
        erasure_id = UUID(request.erasure_id)
        async with staff_reads.opened(
            self._db, "erasure_certificate.read", right=STAFF_RIGHT_ADMINISTRATOR, target_id=erasure_id
        ) as snapshot:
            return _certificate(await certificates.get(snapshot, erasure_id))

    async def ReadErasureCertificate(
        self, request: erasures_pb2.ReadErasureCertificateRequest, context: Context
    ) -> erasures_pb2.ErasureCertificate:
        """For whoever brings the token: nobody can sign in as the member any more."""
        async with self._db.snapshot(Scope()) as snapshot:
            return _certificate(await certificates.by_token(snapshot, self._keyring, request.token))


def _certificate(row: ErasureCertificate) -> erasures_pb2.ErasureCertificate:
    return erasures_pb2.ErasureCertificate(
        id=str(row.id),
        member_id=str(row.member_id),
        document=row.document,
        sha256=row.hash.hex(),
        create_time=timestamps.of(row.create_time),
    )

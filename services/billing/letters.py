"""Letters: written with the change that they tell of, given to identity in the background."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import grpc
import structlog
from google.rpc.error_details_pb2 import ErrorInfo
from grpc_status import rpc_status

from chassis.database import Database, Scope, Transaction
from chassis.errors import DomainError
from chassis.jobs import Job
from chassis.rpc.client import Peers
from services.billing.models import Letter
from services.billing.store.letters import Letters, tenants_writing
from services.billing.store.recipients import Recipients
from wrtn.identity.v1.mails_pb2 import SendMailRequest
from wrtn.identity.v1.mails_pb2_grpc import MailServiceStub

_EVERY = timedelta(seconds=2)
_BATCH = 100
_UNDELIVERABLE = frozenset({"MEMBER_NOT_FOUND", "MEMBER_HAS_NO_ADDRESS"})
"""Why a letter reaches nobody, now or later."""

_log = structlog.get_logger(__name__)


def write(tx: Transaction, tenant_id: UUID, member_id: UUID, template: str, fills: Mapping[str, str]) -> None:
    """Writes to a member by one of identity's templates. What it fills in is no personal data."""
    tx.session.add(
        Letter(
            tenant_id=tenant_id,
            id=tx.clock.new_id(),
            member_id=member_id,
            template=template,
            fills=dict(fills),
            create_time=tx.now,
        )
    )


async def write_to_payers(tx: Transaction, tenant_id: UUID, template: str, fills: Mapping[str, str]) -> None:
    """Writes to those who pay for the tenant, as `write`."""
    for member_id in await Recipients(tx, tenant_id).who_pays():
        write(tx, tenant_id, member_id, template, fills)


@dataclass(frozen=True, slots=True)
class Postman:
    """Gives letters to identity. `worker` is the worker role's database, which lists tenants."""

    database: Database
    worker: Database
    peers: Peers

    def job(self) -> Job:
        """Answers the job that gives away what waits."""
        return Job("letters", _EVERY, self.run)

    async def run(self) -> None:
        """Gives every waiting letter to identity. To give one again queues nothing: its id names the mail."""
        async with self.worker.snapshot(Scope()) as tx:
            tenant_ids = await tenants_writing(tx)
        for tenant_id in tenant_ids:
            async with self.database.snapshot(Scope.of(tenant_id)) as tx:
                waiting = await Letters(tx, tenant_id).waiting(_BATCH)
            for letter in waiting:
                if await self._give(letter):
                    async with self.database.transaction(Scope.of(tenant_id)) as done:
                        await Letters(done, tenant_id).remove(letter.id)

    async def _give(self, letter: Letter) -> bool:
        """Gives one letter to identity; says whether it need not be given again."""
        request = SendMailRequest(
            member_id=str(letter.member_id),
            template=letter.template,
            values=letter.fills,
            request_id=str(letter.id),
        )
        try:
            await self.peers.stub(MailServiceStub, "identity").SendMail(request)
        except (grpc.aio.AioRpcError, DomainError) as error:
            reason = error.reason if isinstance(error, DomainError) else _reason(error)
            _log.warning("letter_not_taken", letter_id=request.request_id, reason=reason)
            return reason in _UNDELIVERABLE
        return True


def _reason(error: grpc.aio.AioRpcError) -> str:
    """Answers the reason that the details of the failure name, else its code."""
    status = rpc_status.from_call(error)
    for detail in status.details if status is not None else ():
        info = ErrorInfo()
        if detail.Unpack(info):
            return str(info.reason)
    return error.code().name

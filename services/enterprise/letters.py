"""Letters: written with the change that they tell of, given to identity in the background."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from chassis.crypto import DataKey, KeyDestroyed, Keyring
from chassis.database import Database, Scope, Transaction
from chassis.jobs import Job
from services.enterprise.identity import Identity
from services.enterprise.models import Letter
from services.enterprise.store import Enterprises, Letters, Runners, tenants_writing
from wrtn.identity.v1.mails_pb2 import SendMailRequest

_EVERY = timedelta(seconds=2)
_BATCH = 100
_SEALED = "wrtn_letters.sealed"


def write(tx: Transaction, tenant_id: UUID, member_id: UUID, template: str, fills: Mapping[str, str]) -> None:
    """Writes to a member by one of identity's templates. What it fills in is stored readably until sent."""
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


def write_sealed(tx: Transaction, key: DataKey, request: SendMailRequest) -> None:
    """Writes to an address. Nothing of it is stored readably; `key` is the enterprise's."""
    letter_id = tx.clock.new_id()
    request.request_id = str(letter_id)
    tx.session.add(
        Letter(
            tenant_id=key.owner_id,
            id=letter_id,
            template=request.template,
            fills={},
            sealed=key.encrypt(request.SerializeToString(), _SEALED, key.owner_id, letter_id),
            create_time=tx.now,
        )
    )


async def write_to_owners(tx: Transaction, tenant_id: UUID, template: str, fills: Mapping[str, str]) -> None:
    """Writes to every owner of the enterprise; the template is also given its name."""
    await _write_to(tx, tenant_id, await Runners(tx, tenant_id).owners(), template, fills)


async def write_to_security(
    tx: Transaction, tenant_id: UUID, template: str, fills: Mapping[str, str]
) -> None:
    """Writes to the owners, and to the managers whose duty is security."""
    await _write_to(tx, tenant_id, await Runners(tx, tenant_id).security(), template, fills)


async def _write_to(
    tx: Transaction, tenant_id: UUID, members: Sequence[UUID], template: str, fills: Mapping[str, str]
) -> None:
    enterprise = await Enterprises(tx, tenant_id).get()
    name = enterprise.display_name if enterprise is not None else ""
    for member_id in members:
        write(tx, tenant_id, member_id, template, {"enterprise": name, **fills})


@dataclass(frozen=True, slots=True)
class Postman:
    """Gives letters to identity. `worker` is the worker role's database, which lists tenants."""

    database: Database
    worker: Database
    identity: Identity
    keyring: Keyring

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
        if letter.sealed is None:
            request = SendMailRequest(
                member_id=str(letter.member_id),
                template=letter.template,
                values=letter.fills,
                request_id=str(letter.id),
            )
            return await self.identity.send(request)
        try:
            async with self.database.snapshot(Scope.of(letter.tenant_id)) as tx:
                key = await self.keyring.key(tx, letter.tenant_id)
        except KeyDestroyed:
            return True
        plain = key.decrypt(letter.sealed, _SEALED, letter.tenant_id, letter.id)
        return await self.identity.send(SendMailRequest.FromString(plain))

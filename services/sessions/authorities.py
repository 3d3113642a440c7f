"""The open connections as this process knows them: found by id, renewed as they age, told of changes."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from uuid import UUID

import structlog

from chassis.clock import Clock
from chassis.crypto import DataKey, KeyDestroyed, Keyring
from chassis.database import Database, Scope, Transaction
from chassis.errors import Unavailable
from services.sessions.attributions import Pinned
from services.sessions.authority import Authority, Holder, Standing
from services.sessions.errors import (
    ConnectionNotFound,
    FrameModelNotGranted,
    ModelNotGranted,
    RightRevoked,
)
from services.sessions.forms import Forms
from services.sessions.models import Connection, Session
from services.sessions.rights import Rights, resources_of
from services.sessions.store import Attributions, Connections, connection_of

FRESH_SECONDS = 5.0
"""How long an answer about rights is used unasked; events end it sooner."""
KEY_SECONDS = 60.0
"""How long a tenant's key is used unasked."""
RETRY_SECONDS = 1.0
"""How long the last answer is used on when identity or enterprise cannot be asked."""
MOST_KEPT = 10_000

_log = structlog.get_logger(__name__)


class Authorities:
    """Keeps the authorities of connections: those of streams while they last, the others by recent use."""

    def __init__(self, db: Database, keyring: Keyring, rights: Rights, forms: Forms, clock: Clock) -> None:
        self._db = db
        self._keyring = keyring
        self._rights = rights
        self._forms = forms
        self._clock = clock
        self._kept: dict[UUID, Authority] = {}
        self._about: dict[UUID, set[Authority]] = {}
        self._within: dict[UUID, set[Authority]] = {}
        """By the enterprise, the employee and the teams: what grants and appointments are about."""

    async def of(self, connection_id: UUID, credential_id: UUID) -> Authority:
        """Answers the authority of a connection, renewed if it is due.

        Raises ConnectionNotFound unless the credential opened it, RightRevoked and NotGranted. Whether
        it is still open is decided when something is stored over it.
        """
        authority = self._kept.get(connection_id)
        if authority is None:
            authority = await self._load(connection_id, credential_id)
        elif authority.credential_id != credential_id:
            raise ConnectionNotFound
        if time.monotonic() >= authority.fresh_until:
            await self.renew(authority)
        return authority

    async def renew(self, authority: Authority, *, fresh: bool = False) -> None:
        """Asks again whether the credential is good, and whose the usage is.

        Raises RightRevoked and NotGranted.

        When identity or enterprise does not answer, the last answer stands: a conversation under way goes
        on while they restart, and with them down nobody's rights can change either.
        """
        try:
            await self._rights.check_credential(authority.credential_id, fresh=fresh)
            pinned = await self._rights.attribution(authority.holder, authority.resources, fresh=fresh)
        except Unavailable as error:
            _log.warning("rights could not be renewed", connection=authority.connection_id, exc_info=error)
            authority.fresh_until = time.monotonic() + RETRY_SECONDS
            return
        now = time.monotonic()
        if pinned.id != authority.pinned.id or now >= authority.key_until:
            tenant_id = authority.holder.tenant_id
            async with self._db.transaction(Scope.of(tenant_id)) as tx:
                await Attributions(tx).keep(pinned)
                authority.key = await self._key(tx, tenant_id)
            authority.key_until = now + KEY_SECONDS
        self._pin(authority, pinned)
        authority.admitted.clear()
        authority.fresh_until = now + FRESH_SECONDS

    async def admit(self, authority: Authority, model: str) -> None:
        """Asks for the model that a frame names, unless it is the session's; raises FrameModelNotGranted."""
        own = ("", authority.model, priced_as(authority.procedure))
        if model in own or model in authority.admitted:
            return
        try:
            await self._rights.check_model(authority.holder, model)
        except ModelNotGranted as error:
            raise FrameModelNotGranted from error
        authority.admitted.add(model)

    async def standing(self, holder: Holder, session: Session, *, fresh: bool = False) -> Standing:
        """Asks whose the usage of a session is, as `Rights.attribution` does, and finds its form."""
        pinned = await self._rights.attribution(holder, resources_of(session), fresh=fresh)
        return Standing(pinned, await self._forms.of(session))

    async def build(
        self, tx: Transaction, row: Connection, session: Session, standing: Standing
    ) -> Authority:
        """Makes the authority of a connection, in the transaction that opens or finds it; `keep` it after."""
        await Attributions(tx).keep(standing.pinned)
        return _authority(row, session, await self._key(tx, row.tenant_id), standing)

    def keep(self, authority: Authority) -> Authority:
        """Adds an authority; the oldest leaves when there are too many."""
        self.drop(authority.connection_id)
        self._kept[authority.connection_id] = authority
        for each in _names(authority):
            self._about.setdefault(each, set()).add(authority)
        for each in _places(authority):
            self._within.setdefault(each, set()).add(authority)
        if len(self._kept) > MOST_KEPT:
            self.drop(next(iter(self._kept)))
        return authority

    def drop(self, connection_id: UUID) -> None:
        """Forgets the authority of a connection."""
        authority = self._kept.pop(connection_id, None)
        if authority is None:
            return
        for index, names in ((self._about, _names(authority)), (self._within, _places(authority))):
            for each in names:
                found = index.get(each, set())
                found.discard(authority)
                if not found:
                    index.pop(each, None)

    def about(self, ids: Iterable[UUID]) -> set[Authority]:
        """Answers the authorities that concern one of these members, logins, accounts or credentials."""
        return {authority for each in ids for authority in self._about.get(each, ())}

    def within(self, ids: Iterable[UUID]) -> set[Authority]:
        """Answers the authorities of one of these enterprises, employees, or teams with those below."""
        return {authority for each in ids for authority in self._within.get(each, ())}

    def _pin(self, authority: Authority, pinned: Pinned) -> None:
        """Changes the attribution, and by what the authority is found with it."""
        held = pinned.id != authority.pinned.id and self._kept.get(authority.connection_id) is authority
        if held:
            self.drop(authority.connection_id)
        authority.pinned = pinned
        if held:
            self.keep(authority)

    async def _key(self, tx: Transaction, tenant_id: UUID) -> DataKey:
        """Answers the tenant's key; nothing is recorded any more for a tenant that was erased."""
        try:
            return await self._keyring.key(tx, tenant_id)
        except KeyDestroyed as error:
            raise RightRevoked from error

    async def _load(self, connection_id: UUID, credential_id: UUID) -> Authority:
        async with self._db.snapshot(Scope(member_id=credential_id)) as tx:
            row = await connection_of(tx, connection_id, credential_id)
        if row is None:
            raise ConnectionNotFound
        async with self._db.snapshot(Scope.of(row.tenant_id)) as tx:
            session = await Connections(tx, row.tenant_id).session_of(row.chat_session_id)
        if session is None:
            raise ConnectionNotFound
        standing = await self.standing(holder_of(row, session), session)
        async with self._db.transaction(Scope.of(row.tenant_id)) as tx:
            authority = await self.build(tx, row, session, standing)
        return self.keep(authority)


def holder_of(row: Connection, session: Session) -> Holder:
    """Answers in whose name a connection records."""
    return Holder(row.tenant_id, row.account_id, row.member_id, row.login_id, session.team_id)


def priced_as(procedure_id: str) -> str:
    """Answers the model as which the runs of a procedure are priced."""
    return f"procedure/{procedure_id}"


def _authority(row: Connection, session: Session, key: DataKey, standing: Standing) -> Authority:
    now, procedure = time.monotonic(), str(session.procedure_id or "")
    return Authority(
        row.id,
        row.chat_session_id,
        row.credential_id,
        session.model or priced_as(procedure),
        resources_of(session),
        procedure,
        standing.form,
        holder_of(row, session),
        key,
        standing.pinned,
        fresh_until=now + FRESH_SECONDS,
        key_until=now + KEY_SECONDS,
    )


def _names(authority: Authority) -> Iterator[UUID]:
    holder = authority.holder
    yield from {holder.account_id, holder.member_id, holder.login_id, authority.credential_id}


def _places(authority: Authority) -> Iterator[UUID]:
    if authority.holder.personal:
        return
    usage = authority.pinned.message
    yield authority.holder.tenant_id
    yield from (UUID(each) for each in (usage.employee_id, usage.team_id, *usage.ancestor_team_ids) if each)

"""Importing people from a file: long work, person by person, resumed where it was killed."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from chassis.clock import Clock
from chassis.crypto import Keyring
from chassis.database import Database, Scope, Transaction
from chassis.errors import DomainError, Unauthenticated
from chassis.operations import Kind, Wait, Work
from services.enterprise.errors import ImportRefused, MemberNotFound, PlanLimitReached, TeamAmbiguous
from services.enterprise.identity import Identity
from services.enterprise.imports import spreadsheets
from services.enterprise.imports.spreadsheets import Person
from services.enterprise.invitations import invitations
from services.enterprise.models import Employee, ImportOutcome, ImportRow
from services.enterprise.people import appointments, companions, employees
from services.enterprise.store import Companions, Employees, ImportRows, Teams
from services.enterprise.teams import teams
from wrtn.access.v1.access_pb2 import ROLE_UNSPECIFIED, TITLE_MEMBER, TITLE_UNSPECIFIED, Role
from wrtn.enterprise.v1.employees_pb2 import ChangeTitleRequest
from wrtn.enterprise.v1.imports_pb2 import ImportEmployeesRequest
from wrtn.enterprise.v1.invitations_pb2 import CreateInvitationRequest, InvitedPlace
from wrtn.enterprise.v1.teams_pb2 import AppointCompanionRequest, CreateTeamRequest

KIND = "employees.import"
_REASON = "Import"
_CHUNK = 100
"""Persons whose addresses are looked up together."""
_APPLIED = "applied"
"""The last step of what takes effect all or none."""
_COLUMNS = {"places": "team", "display_name": "team", "parent_team_id": "team", "employee_id": "email"}
_PASSING = ("UNAVAILABLE", "ABORTED", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED")


Places = Sequence[tuple[UUID, Role.ValueType]]


class _Tried(Exception):
    """Ends a trial, whose transaction is undone."""


class Importing:
    """The work of imports."""

    def __init__(self, db: Database, keyring: Keyring, clock: Clock, identity: Identity) -> None:
        self._db = db
        self._keyring = keyring
        self._clock = clock
        self._identity = identity

    def kind(self) -> Kind:
        """Answers the kind of long work."""
        return Kind(KIND, self.run)

    async def run(self, work: Work) -> dict[str, str]:
        """Does what is left of it. Raises ImportRefused if all or none was wanted and one cannot be."""
        request = ImportEmployeesRequest.FromString(work.request)
        people = spreadsheets.parsed(request.csv, together=request.all_or_nothing)
        one_by_one = not (request.dry_run or request.all_or_nothing)
        if work.step == _APPLIED:
            return _result(await self._counts(work))
        begin = int(work.step or 0)
        for start in range(begin, len(people), _CHUNK):
            chunk = people[start : start + _CHUNK]
            for index, (person, member_id) in enumerate(await self._known(work, chunk), start=start):
                await self._do(work, request, person, member_id, index + 1, apply=one_by_one)
        counts = await self._counts(work)
        if request.all_or_nothing and (failed := counts.get(ImportOutcome.FAILED)):
            raise ImportRefused("Some rows cannot be done, so nothing was done.", failed=failed)
        if request.all_or_nothing and not request.dry_run:
            await self._all(work, request, people)
            counts = await self._counts(work)
        return _result(counts)

    async def _known(self, work: Work, people: Sequence[Person]) -> list[tuple[Person, UUID | None]]:
        """Answers each with the member who has the address, if any. Raises Unauthenticated."""
        try:
            await self._identity.require_active(str(work.member_id))
        except MemberNotFound as error:
            raise Unauthenticated("The member who imports is not active any more.") from error
        valid = [each.email if each.error is None else "" for each in people]
        return list(zip(people, await self._identity.owners(valid), strict=True))

    async def _do(
        self,
        work: Work,
        request: ImportEmployeesRequest,
        person: Person,
        member_id: UUID | None,
        step: int,
        *,
        apply: bool,
    ) -> None:
        """Does or tries one person, and keeps the outcome with the effect; a refusal has no effect."""
        try:
            if person.error is not None:
                raise person.error
            async with self._db.transaction(Scope.of(work.tenant_id)) as tx:
                outcome = await self._person(tx, work, request, person, member_id)
                if not apply:
                    raise _Tried
                await self._keep(tx, work, person, outcome)
                await work.advance(tx, str(step), done=work.done + len(person.rows))
        except _Tried:
            await self._note(work, person, str(step), len(person.rows), ImportOutcome.VALID)
        except DomainError as error:
            _wait_out(error)
            await self._note(work, person, str(step), len(person.rows), ImportOutcome.FAILED, error)

    async def _all(self, work: Work, request: ImportEmployeesRequest, people: Sequence[Person]) -> None:
        """Does everybody in one transaction, which ends with the outcomes of all rows."""
        known: list[tuple[Person, UUID | None]] = []
        for start in range(0, len(people), _CHUNK):
            known += await self._known(work, people[start : start + _CHUNK])
        person = people[0]
        try:
            async with self._db.transaction(Scope.of(work.tenant_id)) as tx:
                for person, member_id in known:
                    outcome = await self._person(tx, work, request, person, member_id)
                    await tx.session.flush()
                    await self._keep(tx, work, person, outcome)
                await work.advance(tx, _APPLIED)
        except DomainError as error:
            _wait_out(error)
            await self._note(work, person, str(len(people)), 0, ImportOutcome.FAILED, error)
            raise ImportRefused("A row cannot be done any more, so nothing was done.", failed=1) from error

    async def _person(
        self,
        tx: Transaction,
        work: Work,
        request: ImportEmployeesRequest,
        person: Person,
        member_id: UUID | None,
    ) -> ImportOutcome:
        """Invites the address, or changes the employee who has it, by the rights of the importer now."""
        decider_id = _there(work.member_id)
        await appointments.begin(tx, work.tenant_id, decider_id)
        places = [
            (await self._team(tx, work.tenant_id, decider_id, each.path), each.role) for each in person.places
        ]
        row = await Employees(tx, work.tenant_id).of_member(member_id) if member_id else None
        if row is not None and row.title != TITLE_UNSPECIFIED:
            return await self._change(tx, decider_id, row, person, places)
        wanted = CreateInvitationRequest(
            enterprise_id=str(work.tenant_id),
            email=person.email,
            title=TITLE_MEMBER if person.title is None else person.title,
            places=[InvitedPlace(team_id=str(team_id), role=role) for team_id, role in places],
            locale=request.locale,
        )
        await invitations.create(tx, self._keyring, decider_id, wanted)
        return ImportOutcome.INVITED

    async def _change(
        self,
        tx: Transaction,
        decider_id: UUID,
        row: Employee,
        person: Person,
        places: Places,
    ) -> ImportOutcome:
        enterprise_id, employee_id, changed = str(row.tenant_id), str(row.id), False
        if person.title is not None and person.title != row.title:
            await employees.change_title(
                tx,
                self._keyring,
                decider_id,
                ChangeTitleRequest(
                    enterprise_id=enterprise_id, employee_id=employee_id, title=person.title, reason=_REASON
                ),
            )
            changed = True
        for team_id, role in places:
            companion = await Companions(tx, row.tenant_id).get(team_id, row.id)
            if (companion.role if companion is not None else ROLE_UNSPECIFIED) == role:
                continue
            wanted = AppointCompanionRequest(
                enterprise_id=enterprise_id,
                team_id=str(team_id),
                employee_id=employee_id,
                role=role,
                reason=_REASON,
            )
            await companions.appoint(tx, self._keyring, decider_id, wanted)
            changed = True
        return ImportOutcome.CHANGED if changed else ImportOutcome.UNCHANGED

    async def _team(self, tx: Transaction, tenant_id: UUID, decider_id: UUID, path: Sequence[str]) -> UUID:
        """Answers the live team at the end of the path; those on the way that are missing are made."""
        parent_id: UUID | None = None
        for name in path:
            found = await Teams(tx, tenant_id).named(parent_id, name)
            if len(found) > 1:
                raise TeamAmbiguous("Several teams have this name there.", field="team")
            if found:
                parent_id = found[0]
                continue
            wanted = CreateTeamRequest(
                enterprise_id=str(tenant_id),
                parent_team_id=str(parent_id) if parent_id else "",
                display_name=name,
            )
            made = await teams.create(tx, self._keyring, decider_id, wanted)
            await tx.session.flush()
            parent_id = UUID(made.id)
        return _there(parent_id)

    async def _note(
        self,
        work: Work,
        person: Person,
        step: str,
        done: int,
        outcome: ImportOutcome,
        error: DomainError | None = None,
    ) -> None:
        """Keeps the outcome of what had no effect, and that so many more rows are done."""
        async with self._db.transaction(Scope.of(work.tenant_id)) as tx:
            await self._keep(tx, work, person, outcome, error)
            await work.advance(tx, step, done=work.done + done)

    async def _keep(
        self,
        tx: Transaction,
        work: Work,
        person: Person,
        outcome: ImportOutcome,
        error: DomainError | None = None,
    ) -> None:
        rows = [
            ImportRow(
                tenant_id=work.tenant_id,
                operation_id=work.id,
                number=number,
                outcome=outcome,
                reason=error.reason if error is not None else "",
                column_name=_COLUMNS.get(error.field or "", error.field or "") if error is not None else "",
                message=error.message if error is not None else "",
                create_time=self._clock.now(),
            )
            for number in person.rows
        ]
        await ImportRows(tx, work.tenant_id).keep(rows)

    async def _counts(self, work: Work) -> dict[str, int]:
        async with self._db.snapshot(Scope.of(work.tenant_id)) as tx:
            return await ImportRows(tx, work.tenant_id).counts(work.id)


def _wait_out(error: DomainError) -> None:
    """Raises Wait for what is no refusal of a row and passes by itself."""
    if error.code.name in _PASSING and not isinstance(error, PlanLimitReached):
        raise Wait("Waits for its turn.", 1) from error


def _result(counts: dict[str, int]) -> dict[str, str]:
    found = {each.lower(): str(counts.get(each, 0)) for each in ImportOutcome}
    return {"rows": str(sum(counts.values()))} | found


def _there(value: UUID | None) -> UUID:
    if value is None:
        raise LookupError("an import has no importer, or a team no path")
    return value

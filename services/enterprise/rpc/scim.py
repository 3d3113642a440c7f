"""wrtn.enterprise.v1 ScimService: SCIM 2.0 over the gateway."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import grpc
from google.api.httpbody_pb2 import HttpBody
from google.protobuf.message import Message

from chassis.call import current
from chassis.database import Scope, Transaction
from chassis.errors import DomainError
from chassis.idempotency import once, replayed
from chassis.service import Runtime
from services.enterprise.enterprises import states
from services.enterprise.identity import Identity
from services.enterprise.models import Employee
from services.enterprise.people.appointments import Key
from services.enterprise.rpc.asking import sure
from services.enterprise.scim import discovery, documents, filters, groups, users
from services.enterprise.scim.documents import Group, User
from services.enterprise.scim.errors import CONTENT_TYPE, ScimResourceNotFound, ScimValueInvalid, written
from services.enterprise.scim.users import Directory
from services.enterprise.settings import EnterpriseSettings
from services.enterprise.store import Enterprises, ScimGroups, ScimUsers
from wrtn.access.v1.access_pb2 import TITLE_UNSPECIFIED
from wrtn.enterprise.v1 import scim_pb2 as pb
from wrtn.enterprise.v1.scim_pb2_grpc import ScimServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]
Wanting = pb.CreateScimResourceRequest | pb.ReplaceScimResourceRequest | pb.PatchScimResourceRequest
R = TypeVar("R", User, Group)

_IF_MATCH = "if-match"
_DEFAULT_COUNT = 100
_USERS, _GROUPS = "Users", "Groups"


class ScimRpc(ScimServiceServicer):
    """wrtn.enterprise.v1 ScimService."""

    def __init__(self, runtime: Runtime[EnterpriseSettings], identity: Identity) -> None:
        self._runtime = runtime
        self._identity = identity

    async def ListScimResources(self, request: pb.ListScimResourcesRequest, context: Context) -> HttpBody:
        """Lists a page, or what describes the service."""
        with _refusing():
            if request.sort_by or request.sort_order:
                raise ScimValueInvalid("Sorting is not supported.")
            if request.resource_type not in (_USERS, _GROUPS):
                return _body(discovery.whole(request.resource_type))
            return _body(await self._page(request))

    async def GetScimResource(self, request: pb.GetScimResourceRequest, context: Context) -> HttpBody:
        """Gets a user or a group, or what describes one."""
        with _refusing():
            directory = self._directory()
            if request.resource_type not in (_USERS, _GROUPS):
                return _body(discovery.one(request.resource_type, request.resource_id))
            async with self._runtime.db.snapshot(Scope.of(directory.tenant_id)) as tx:
                states.require_active(await Enterprises(tx, directory.tenant_id).get())
                if request.resource_type == _USERS:
                    row = await users.found(tx, directory, request.resource_id)
                    user = await users.rendered(tx, directory, row)
                    return _tell(context, user, request)
                found = await groups.found(tx, directory, request.resource_id)
                return _tell(context, (await groups.rendered(tx, directory, [found]))[0], request)

    async def CreateScimResource(self, request: pb.CreateScimResourceRequest, context: Context) -> HttpBody:
        """Creates a user or a group."""
        with _refusing():
            directory = self._directory()
            if _kind(request.resource_type) is Group:
                group = documents.read(Group, request.document.data)
                made = await self._once(request, lambda tx: _kept(groups.create(tx, directory, group)))
            else:
                made = await self._create_user(directory, request)
            return _answer(context, request, made, created=True)

    async def ReplaceScimResource(self, request: pb.ReplaceScimResourceRequest, context: Context) -> HttpBody:
        """Replaces a user or a group."""
        with _refusing():
            data = request.document.data
            if _kind(request.resource_type) is Group:
                group = documents.read(Group, data)
                return await self._change_group(request, context, lambda _: group)
            user = documents.read(User, data)
            return await self._change_user(request, context, lambda _: user)

    async def PatchScimResource(self, request: pb.PatchScimResourceRequest, context: Context) -> HttpBody:
        """Changes a user or a group by operations."""
        with _refusing():
            data = request.document.data
            if _kind(request.resource_type) is Group:
                return await self._change_group(request, context, lambda now: documents.patched(now, data))
            return await self._change_user(request, context, lambda now: documents.patched(now, data))

    async def DeleteScimResource(self, request: pb.DeleteScimResourceRequest, context: Context) -> HttpBody:
        """Deletes a user or a group."""
        with _refusing():
            directory = self._directory()
            delete = groups.delete if _kind(request.resource_type) is Group else users.delete

            async def work(tx: Transaction) -> HttpBody:
                await delete(tx, directory, request.resource_id, _if_match(context))
                return HttpBody()

            await self._once(request, work)
            context.set_trailing_metadata((("x-http-code", "204"),))
            return HttpBody()

    async def _page(self, request: pb.ListScimResourcesRequest) -> dict[str, Any]:
        directory = self._directory()
        start = max(request.start_index, 1)
        size = request.count if request.HasField("count") else _DEFAULT_COUNT
        size = min(max(size, 0), discovery.MOST_RESULTS)
        of_users = request.resource_type == _USERS
        columns = users.columns(directory) if of_users else groups.columns()
        where = filters.condition(request.filter, columns) if request.filter else None
        attributes = (request.attributes, request.excluded_attributes)
        async with self._runtime.db.snapshot(Scope.of(directory.tenant_id)) as tx:
            states.require_active(await Enterprises(tx, directory.tenant_id).get())
            if of_users:
                known = ScimUsers(tx, directory.tenant_id)
                rows = await known.page(where, start - 1, size)
                found = [await users.rendered(tx, directory, row) for row in rows]
                shown = [documents.shown(each, *attributes) for each in found]
                return documents.listed(shown, await known.count(where), start)
            teams = ScimGroups(tx, directory.tenant_id)
            made = await groups.rendered(tx, directory, await teams.page(where, start - 1, size))
            listed = [documents.shown(each, *attributes) for each in made]
            return documents.listed(listed, await teams.count(where), start)

    async def _create_user(self, directory: Directory, request: pb.CreateScimResourceRequest) -> HttpBody:
        """Asks identity for the member before the transaction, and opens the account after it."""
        user = documents.read(User, request.document.data)
        again = await replayed(self._runtime.db, request, HttpBody)
        if again is not None:
            return again
        async with self._runtime.db.snapshot(Scope.of(directory.tenant_id)) as tx:
            states.require_active(await Enterprises(tx, directory.tenant_id).get())
            address = await users.require_provable(tx, directory, user)
            await users.require_unique(tx, directory, user)
        member_id = await self._identity.provision(directory.tenant_id, address, documents.name_of(user))
        employees: list[Employee] = []

        async def work(tx: Transaction) -> HttpBody:
            made, employee = await users.create(tx, directory, member_id, user)
            employees.append(employee)
            return _kept_body(made)

        answer = await self._once(request, work)
        await self._open_accounts(directory, employees)
        return answer

    async def _change_user(self, request: Wanting, context: Context, change: users.Change) -> HttpBody:
        directory, if_match = self._directory(), _if_match(context)
        assert not isinstance(request, pb.CreateScimResourceRequest)  # noqa: S101 - it has no id
        resource_id = request.resource_id
        async with self._runtime.db.snapshot(Scope.of(directory.tenant_id)) as tx:
            _, employee = await users.found(tx, directory, resource_id)
        dismissed = employee.title == TITLE_UNSPECIFIED
        if dismissed:
            await self._identity.require_active(str(employee.member_id))
        employees: list[Employee] = []

        async def work(tx: Transaction) -> HttpBody:
            changed, now = await users.update(tx, directory, resource_id, change, if_match)
            if dismissed and now.title != TITLE_UNSPECIFIED:
                employees.append(now)
            return _kept_body(changed)

        answer = await self._once(request, work)
        await self._open_accounts(directory, employees)
        return _answer(context, request, answer)

    async def _change_group(self, request: Wanting, context: Context, change: groups.Change) -> HttpBody:
        directory, if_match = self._directory(), _if_match(context)
        assert not isinstance(request, pb.CreateScimResourceRequest)  # noqa: S101 - it has no id
        resource_id = request.resource_id
        changed = await self._once(
            request, lambda tx: _kept(groups.update(tx, directory, resource_id, change, if_match))
        )
        return _answer(context, request, changed)

    async def _open_accounts(self, directory: Directory, employees: list[Employee]) -> None:
        for each in employees:
            await self._identity.open_account(
                account_id=str(each.account_id),
                enterprise_id=str(directory.tenant_id),
                member_id=each.member_id,
            )

    async def _once(self, request: Message, work: Callable[[Transaction], Awaitable[HttpBody]]) -> HttpBody:
        tenant_id = self._directory().tenant_id
        answer = await once(self._runtime.db, Scope.of(tenant_id), request, work)
        self._runtime.access.drop([tenant_id])
        return answer

    def _directory(self) -> Directory:
        caller = current().caller
        if caller.tenant_id is None:
            raise ScimResourceNotFound("The key belongs to no enterprise.")
        return Directory(caller.tenant_id, Key(sure(caller.credential_id)), self._runtime.keyring)


def _kind(resource_type: str) -> type[User | Group]:
    kinds: dict[str, type[User | Group]] = {_USERS: User, _GROUPS: Group}
    if resource_type not in kinds:
        raise ScimResourceNotFound("There are no resources of this type to change.")
    return kinds[resource_type]


def _if_match(context: Context) -> str:
    said = (str(value) for key, value in context.invocation_metadata() or () if key == _IF_MATCH)
    return ",".join(said)


def _body(document: dict[str, Any]) -> HttpBody:
    return HttpBody(content_type=CONTENT_TYPE, data=json.dumps(document, ensure_ascii=False).encode())


async def _kept(making: Awaitable[Group]) -> HttpBody:
    return _kept_body(await making)


def _kept_body(resource: User | Group) -> HttpBody:
    """Answers the whole resource; what of it is shown is decided when it is answered."""
    return HttpBody(content_type=CONTENT_TYPE, data=resource.model_dump_json().encode())


def _answer(context: Context, request: Wanting, made: HttpBody, *, created: bool = False) -> HttpBody:
    kind = _kind(request.resource_type)
    resource = kind.model_validate_json(made.data)
    return _tell(context, resource, request, created=created)


def _tell(
    context: Context,
    resource: User | Group,
    request: Wanting | pb.GetScimResourceRequest,
    *,
    created: bool = False,
) -> HttpBody:
    """Answers the resource with its version, place and status for HTTP."""
    said = [("cache-control", "no-store"), ("etag", documents.version_of(resource))]
    if created and resource.meta is not None:
        said.append(("location", str(resource.meta.location)))
    headers = [(f"x-http-header-{name}", value) for name, value in said]
    context.set_trailing_metadata((*headers, ("x-http-code", "201" if created else "200")))
    return _body(documents.shown(resource, request.attributes, request.excluded_attributes))


@contextmanager
def _refusing() -> Iterator[None]:
    """Has every refusal answered in SCIM's own form."""
    try:
        yield
    except DomainError as error:
        error.response = written(error)
        raise

"""A directory service for the tests: it speaks SCIM to the real gateway before the real service."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from gateway.app import Gateway, opened
from gateway.settings import Settings
from tests.enterprise.make import Worker, World
from wrtn.enterprise.v1.domains_pb2 import AddDomainRequest, Domain, RemoveDomainRequest, VerifyDomainRequest
from wrtn.enterprise.v1.employees_pb2 import Employee, GetEmployeeRequest
from wrtn.enterprise.v1.teams_pb2 import ListCompanionsRequest

Json = dict[str, Any]
DESCRIPTORS = Path(__file__).parents[2] / "wrtn" / "descriptors.binpb"
DOMAIN = "acme.example"
USER = "urn:ietf:params:scim:schemas:core:2.0:User"
ENTERPRISE_USER = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"


@dataclass(frozen=True)
class Directory:
    """A directory service with a key of the owner's enterprise, whose domain is proven."""

    world: World
    owner: Worker
    app: Gateway
    http: httpx.AsyncClient
    key: str

    async def call(
        self, method: str, path: str, body: Json | None = None, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        """Sends one request; the body as application/scim+json."""
        sent = {"content-type": "application/scim+json"} | (headers or {})
        return await self.http.request(method, f"/scim/v2{path}", json=body, headers=sent)

    async def user(self, login: str = "mina", /, **more: Any) -> Json:
        """Creates a user; answers it."""
        made = await self.call("POST", "/Users", user(login, **more))
        assert made.status_code == 201, made.text
        answer: Json = made.json()
        return answer

    async def group(self, name: str, *members: Json, **more: Any) -> Json:
        """Creates a group; answers it."""
        body = {
            "schemas": [GROUP],
            "displayName": name,
            "members": [{"value": each["id"]} for each in members],
        }
        made = await self.call("POST", "/Groups", body | more)
        assert made.status_code == 201, made.text
        answer: Json = made.json()
        return answer

    async def patch(self, path: str, *operations: Json, **headers: str) -> httpx.Response:
        """Sends operations."""
        return await self.call("PATCH", path, {"schemas": [PATCH], "Operations": list(operations)}, headers)

    async def find(self, text: str, kind: str = "Users") -> list[Json]:
        """Answers what a filter finds."""
        found = await self.http.get(f"/scim/v2/{kind}", params={"filter": text})
        assert found.status_code == 200, found.text
        resources: list[Json] = found.json()["Resources"]
        return resources


async def employee(directory: Directory, employee_id: str) -> Employee:
    """Answers the employee that a user is."""
    request = GetEmployeeRequest(enterprise_id=directory.owner.enterprise_id, employee_id=employee_id)
    return await directory.world.employees.GetEmployee(request, metadata=directory.owner.metadata)


async def roles(directory: Directory, team_id: str) -> dict[str, int]:
    """Answers the roles in the team that a group is."""
    request = ListCompanionsRequest(enterprise_id=directory.owner.enterprise_id, team_id=team_id)
    found = await directory.world.teams.ListCompanions(request, metadata=directory.owner.metadata)
    return {each.employee_id: each.role for each in found.companions}


def user(login: str = "mina", /, **more: Any) -> Json:
    """A user as a directory describes it."""
    address = f"{login}@{DOMAIN}"
    return {
        "schemas": [USER],
        "userName": address,
        "active": True,
        "emails": [{"value": address, "type": "work", "primary": True}],
    } | more


def refusal(response: httpx.Response) -> tuple[int, str | None]:
    """Answers status and scimType of an error, which must have SCIM's own form."""
    document = response.json()
    assert response.headers["content-type"] == "application/scim+json", response.text
    assert document["schemas"] == [ERROR]
    assert document["status"] == str(response.status_code)
    return response.status_code, document.get("scimType")


async def prove(world: World, owner: Worker, domain: str = DOMAIN) -> Domain:
    """Proves the domain for the owner's enterprise."""
    request = AddDomainRequest(enterprise_id=owner.enterprise_id, domain=domain)
    added = await world.domains.AddDomain(request, metadata=owner.metadata)
    world.dns.text(added.record_name, added.record_text)
    wanted = VerifyDomainRequest(
        enterprise_id=owner.enterprise_id, domain_id=added.id, proof=Domain.PROOF_DNS
    )
    return await world.domains.VerifyDomain(wanted, metadata=owner.metadata)


async def release(world: World, owner: Worker, domain: Domain) -> None:
    """Has the enterprise give the domain up, so that another one may prove it."""
    request = RemoveDomainRequest(enterprise_id=owner.enterprise_id, domain_id=domain.id)
    await world.domains.RemoveDomain(request, metadata=world.renewed(owner).metadata)


@asynccontextmanager
async def gateway(world: World) -> AsyncIterator[Gateway]:
    """The gateway before the service."""
    backends = (("wrtn.enterprise.v1", f"127.0.0.1:{world.running.port}"),)
    settings = Settings(descriptor_set=DESCRIPTORS, backends=backends, metrics_port=0, docs=False)
    async with opened(settings) as app:
        yield app


@asynccontextmanager
async def calling(app: Gateway, key: str) -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client that presents the key."""
    headers = {"authorization": f"Bearer {key}"} if key else {}
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway", headers=headers) as client:
        yield client

"""Webhooks reach nothing inside (guarantee S11), as every service does that nobody allows it."""

from __future__ import annotations

import ssl
from ipaddress import IPv4Address
from pathlib import Path

import grpc
import pytest

from chassis import outbound
from chassis.inside import Address
from chassis.testing import web
from chassis.testing.certificates import certificate
from chassis.testing.names import NameServer
from chassis.testing.web import Request, Response
from tests.enterprise import hooks
from tests.enterprise.hooks import PENDING
from tests.enterprise.make import World, refused

pytestmark = pytest.mark.fresh
HOST = "hooks.acme.example"


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """The certificate of HOST, which the service trusts."""
    server, trusting = certificate(tmp_path, HOST)
    monkeypatch.setattr(outbound, "authorities", lambda: trusting)
    return server


@pytest.fixture
def webhooks_inside(tls: ssl.SSLContext) -> bool:
    """They reach what a service reaches by default."""
    return False


async def test_an_inside_address_is_refused_and_a_name_that_leads_inside_is_not_connected_to(
    world: World, name_server: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = await world.owner()
    for url in (
        *("https://127.0.0.1/hook", "https://[::1]/hook", "https://10.0.0.7/hook"),
        *("https://169.254.169.254/latest/meta-data", f"http://{HOST}/hook"),
    ):
        assert await refused(hooks.created(world, owner, url)) == (
            grpc.StatusCode.INVALID_ARGUMENT,
            "WEBHOOK_URL_REFUSED",
        )
    name_server.records[HOST, "A"] = ["127.0.0.1"]
    async with web.serving() as inside:
        monkeypatch.setattr(outbound, "PORTS", {inside.port})
        made = await hooks.created(world, owner, f"https://{HOST}:{inside.port}/hook")
        sent = await hooks.tested(world, owner, made.endpoint.id)
        found = await hooks.attempted(world, owner, sent.id, 1)
        assert (found.state, [each.failure for each in found.attempts]) == (PENDING, ["ADDRESS_INSIDE"])
        assert (HOST, "A") in name_server.asked
        assert inside.connections == 0


async def test_an_endpoint_that_redirects_inside_has_failed_and_nothing_there_is_connected_to(
    world: World,
    name_server: NameServer,
    monkeypatch: pytest.MonkeyPatch,
    tls: ssl.SSLContext,
) -> None:
    """127.0.0.1 plays a public address here, 127.0.0.2 one inside."""

    def is_inside(address: Address) -> bool:
        return address != IPv4Address("127.0.0.1")

    monkeypatch.setattr(outbound, "is_inside", is_inside)
    monkeypatch.setattr(outbound, "PORTS", range(65536))
    name_server.records[HOST, "A"] = ["127.0.0.1"]
    owner = await world.owner()
    statuses = [301, 302, 303, 307, 308]
    async with web.serving(host="127.0.0.2") as inside, web.serving(tls=tls) as public:

        async def redirecting(request: Request) -> Response:
            status = int(request.path.removeprefix("/"))
            return Response(status, headers={"location": f"http://127.0.0.2:{inside.port}/meta-data"})

        public.handler = redirecting
        for status in statuses:
            made = await hooks.created(world, owner, f"https://{HOST}:{public.port}/{status}")
            sent = await hooks.tested(world, owner, made.endpoint.id)
            found = await hooks.attempted(world, owner, sent.id, 1)
            (attempt,) = found.attempts
            assert (found.state, attempt.status, attempt.failure) == (PENDING, status, "")
        assert (public.connections, inside.connections) == (len(statuses), 0)

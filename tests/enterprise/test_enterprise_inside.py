"""Webhooks reach nothing inside (guarantee S11), as every service does that nobody allows it."""

from __future__ import annotations

import grpc
import pytest

from chassis import outbound
from chassis.clock import Clock
from chassis.testing import web
from chassis.testing.clocks import MovableClock
from chassis.testing.names import NameServer
from tests.enterprise import hooks
from tests.enterprise.hooks import PENDING
from tests.enterprise.make import World, refused

HOST = "hooks.acme.example"


@pytest.fixture
def clock() -> Clock:
    """A clock that tokens are renewed after."""
    return MovableClock()


@pytest.fixture
def webhooks_inside() -> bool:
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

"""Requests to what customers name: nothing inside is ever connected to (S11)."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from ipaddress import IPv4Address, ip_address
from pathlib import Path

import pytest
import pytest_asyncio

from chassis import names, outbound
from chassis.inside import Address, is_inside
from chassis.outbound import Outbound, OutboundFailed, OutboundRefused
from chassis.testing import web
from chassis.testing.certificates import certificate
from chassis.testing.names import NameServer
from chassis.testing.web import Request, Response, WebServer

INSIDE = [
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.9.9.9",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "64:ff9b::a00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:2::1",
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
]
OUTSIDE = [
    "1.1.1.1",
    "8.8.8.8",
    "93.184.216.34",
    "2606:4700:4700::1111",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
]


@pytest_asyncio.fixture
async def server() -> AsyncIterator[WebServer]:
    """A server inside."""
    async with web.serving() as serving:
        yield serving


@pytest_asyncio.fixture
async def guarded(name_server: NameServer) -> AsyncIterator[Outbound]:
    """What production has."""
    made = Outbound(names.resolver(name_server.address))
    yield made
    await made.close()


@pytest_asyncio.fixture
async def unguarded(name_server: NameServer) -> AsyncIterator[Outbound]:
    """What tests have."""
    made = Outbound(names.resolver(name_server.address), inside=True)
    yield made
    await made.close()


@pytest.mark.parametrize("text", INSIDE)
def test_an_address_that_is_no_public_host_is_inside(text: str) -> None:
    assert is_inside(ip_address(text))


@pytest.mark.parametrize("text", OUTSIDE)
def test_a_public_host_is_outside(text: str) -> None:
    assert not is_inside(ip_address(text))


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://example.com/", "HTTPS_ONLY"),
        ("ftp://example.com/", "HTTPS_ONLY"),
        ("file:///etc/passwd", "HOST"),
        ("https:///path", "HOST"),
        ("https://localhost/", "HOST"),
        ("https://kubernetes/", "HOST"),
        ("https://exa mple.com/", "HOST"),
        ("https://example.com/\r\nX: y", "HOST"),
        ("https://example.com:99999/", "HOST"),
        ("https://user:secret@example.com/", "CREDENTIALS"),
        ("https://example.com:22/", "PORT"),
        ("https://example.com:6379/", "PORT"),
        ("https://127.0.0.1/", "ADDRESS_INSIDE"),
        ("https://169.254.169.254/latest/meta-data", "ADDRESS_INSIDE"),
        ("https://[::1]/", "ADDRESS_INSIDE"),
        ("https://[::ffff:10.0.0.1]/", "ADDRESS_INSIDE"),
        ("https://[fd00:ec2::254]/", "ADDRESS_INSIDE"),
    ],
)
async def test_a_url_that_leads_inside_is_refused_unasked(guarded: Outbound, url: str, reason: str) -> None:
    with pytest.raises(OutboundRefused) as refused:
        guarded.check(url)
    assert refused.value.reason == reason
    with pytest.raises(OutboundRefused):
        await guarded.request("POST", url)


@pytest.mark.parametrize("host", ["2130706433.", "0x7f.1", "127.1", "0177.0.0.1", "017700000001."])
async def test_an_odd_spelling_of_an_address_is_only_a_name(guarded: Outbound, host: str) -> None:
    with pytest.raises(OutboundFailed) as failed:
        await guarded.request("GET", f"https://{host}/")
    assert failed.value.reason == "NAME_UNKNOWN"


@pytest.mark.parametrize(
    "records",
    [
        {"A": ["127.0.0.1"]},
        {"AAAA": ["::1"]},
        {"AAAA": ["::ffff:127.0.0.1"]},
        {"AAAA": ["64:ff9b::7f00:1"]},
        {"A": ["169.254.169.254"]},
        {"A": ["127.0.0.1", "93.184.216.34"]},
        {"A": ["93.184.216.34", "127.0.0.1"]},
        {"A": ["93.184.216.34"], "AAAA": ["fd00::1"]},
    ],
)
async def test_a_name_with_any_address_inside_is_not_connected_to(
    guarded: Outbound,
    name_server: NameServer,
    server: WebServer,
    records: dict[str, list[str]],
    patch_ports: None,
) -> None:
    for kind, values in records.items():
        name_server.records["hook.example", kind] = values
    with pytest.raises(OutboundRefused) as refused:
        await guarded.request("POST", f"https://hook.example:{server.port}/")
    assert refused.value.reason == "ADDRESS_INSIDE"
    assert server.connections == 0


@pytest.fixture
def patch_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Admits any port, so that only the address keeps a request from the server of the test."""
    monkeypatch.setattr(outbound, "PORTS", range(65536))


async def test_a_name_that_changes_its_address_gains_nothing(
    name_server: NameServer, monkeypatch: pytest.MonkeyPatch, patch_ports: None, tmp_path: Path
) -> None:
    """127.0.0.1 plays a public address here, 127.0.0.2 one inside."""

    def inside(address: Address) -> bool:
        return address != IPv4Address("127.0.0.1")

    monkeypatch.setattr(outbound, "is_inside", inside)
    turns = itertools.chain([["127.0.0.1"]], itertools.repeat(["127.0.0.2"]))
    name_server.records["hook.example", "A"] = lambda: next(turns)
    tls, trust = certificate(tmp_path, "hook.example")
    async with (
        web.serving(tls=tls) as public,
        web.serving(host="127.0.0.2", port=public.port, tls=tls) as within,
    ):
        client = Outbound(names.resolver(name_server.address), trust=trust)
        url = f"https://hook.example:{public.port}/"
        assert (await client.request("POST", url)).status == 200
        assert (public.connections, within.connections) == (1, 0)
        with pytest.raises(OutboundRefused):
            await client.request("POST", url)
        assert (public.connections, within.connections) == (1, 0)
        await client.close()


async def test_a_redirect_is_an_answer_and_is_not_followed(unguarded: Outbound, server: WebServer) -> None:
    async def redirecting(request: Request) -> Response:
        return Response(307, headers={"location": f"{server.url}/again"})

    server.handler = redirecting
    answer = await unguarded.request("POST", server.url, content=b"{}")
    assert (answer.status, answer.headers["location"]) == (307, f"{server.url}/again")
    assert len(server.requests) == 1


async def test_a_request_arrives_whole(unguarded: Outbound, server: WebServer) -> None:
    await unguarded.request("POST", f"{server.url}?a=b%20c", headers={"X-One": "1"}, content=b'{"a": 1}')
    (request,) = server.requests
    assert (request.method, request.path, request.body) == ("POST", "/hook?a=b%20c", b'{"a": 1}')
    assert request.headers["x-one"] == "1"
    assert request.headers["host"] == f"127.0.0.1:{server.port}"


async def test_of_a_long_answer_only_its_beginning_is_read(unguarded: Outbound, server: WebServer) -> None:
    async def long(request: Request) -> Response:
        return Response(200, b"x" * 5_000_000)

    server.handler = long
    answer = await unguarded.request("GET", server.url, most_bytes=1000)
    assert (answer.body, answer.complete) == (b"x" * 1000, False)


async def test_an_answer_that_does_not_come_is_not_waited_for(unguarded: Outbound, server: WebServer) -> None:
    async def silent(request: Request) -> Response:
        await asyncio.sleep(30)
        return Response()

    server.handler = silent
    with pytest.raises(OutboundFailed) as failed:
        await unguarded.request("GET", server.url, seconds=0.2)
    assert failed.value.reason == "TIMEOUT"


async def test_what_nobody_serves_fails_with_its_reason(unguarded: Outbound, name_server: NameServer) -> None:
    with pytest.raises(OutboundFailed) as failed:
        await unguarded.request("GET", "http://127.0.0.1:1/")
    assert failed.value.reason == "CONNECT"
    name_server.broken = True
    with pytest.raises(OutboundFailed) as failed:
        await unguarded.request("GET", "https://hook.example/")
    assert failed.value.reason == "NAME_UNANSWERED"


async def test_a_certificate_must_be_the_named_hosts(name_server: NameServer, tmp_path: Path) -> None:
    name_server.records["hook.example", "A"] = name_server.records["other.example", "A"] = ["127.0.0.1"]
    tls, trust = certificate(tmp_path, "hook.example")
    async with web.serving(tls=tls) as server:
        client = Outbound(names.resolver(name_server.address), inside=True, trust=trust)
        assert (await client.request("GET", f"https://hook.example:{server.port}/")).status == 200
        with pytest.raises(OutboundFailed) as failed:
            await client.request("GET", f"https://other.example:{server.port}/")
        assert failed.value.reason == "TLS"
        await client.close()
    assert len(server.requests) == 1

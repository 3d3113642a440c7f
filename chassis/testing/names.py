"""A real little DNS server on the loopback, which says what a test wants."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest_asyncio

Answers = Sequence[str] | Callable[[], Sequence[str]]


@dataclass
class NameServer(asyncio.DatagramProtocol):
    """Answers by UDP from `records`; a name without any is said not to exist. `broken` makes it fail."""

    records: dict[tuple[str, str], Answers] = field(default_factory=dict)
    """Of a name and a type ("A", "AAAA", "TXT") the values, or what answers them at each question."""
    asked: list[tuple[str, str]] = field(default_factory=list)
    broken: bool = False
    address: str = ""
    _transport: asyncio.DatagramTransport | None = None

    def text(self, name: str, *values: str) -> None:
        """Sets the text records of a name."""
        self.records[name, "TXT"] = [f'"{value}"' for value in values]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Notes the socket."""
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str | int, int]) -> None:
        """Answers one question."""
        query = dns.message.from_wire(data)
        question = query.question[0]
        name, kind = question.name.to_text(omit_final_dot=True), dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind))
        response = dns.message.make_response(query)
        known = self.records.get((name, kind), ())
        values = known() if callable(known) else known
        if self.broken:
            response.set_rcode(dns.rcode.SERVFAIL)
        elif values:
            response.answer.append(dns.rrset.from_text(question.name, 1, "IN", kind, *values))
        elif not any(each == name for each, _ in self.records):
            response.set_rcode(dns.rcode.NXDOMAIN)
        if self._transport is not None:
            self._transport.sendto(response.to_wire(), addr)


@asynccontextmanager
async def serving() -> AsyncIterator[NameServer]:
    """Serves on a free port."""
    server = NameServer()
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: server, local_addr=("127.0.0.1", 0)
    )
    host, port = transport.get_extra_info("sockname")
    server.address = f"{host}:{port}"
    try:
        yield server
    finally:
        transport.close()


@pytest_asyncio.fixture
async def name_server() -> AsyncIterator[NameServer]:
    """A DNS server that knows nothing yet; its `address` goes into settings."""
    async with serving() as server:
        yield server

"""Where a call comes from: the address of the client, whom the gateway may stand before."""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from urllib.parse import unquote

FORWARDED_FOR = "x-forwarded-for"
USER_AGENT = "x-user-agent"
"""What the gateway says of its client: the one address, and the text of its `User-Agent`."""

LOOPBACK = "127.0.0.0/8,::1/128"
_LONGEST_DEVICE = 300

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def networks(text: str) -> tuple[Network, ...]:
    """Reads a list of networks, joined by commas; raises ValueError for what is none."""
    return tuple(ipaddress.ip_network(each.strip()) for each in text.split(",") if each.strip())


@lru_cache(maxsize=4096)
def address_of(text: str) -> Address | None:
    """Reads an address, an IPv4 one that is written as IPv6 too; None for what is none."""
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


def device(user_agent: str) -> str:
    """Answers what a client says that it is, as the gateway passed it on; at most 300 characters."""
    return unquote(user_agent, errors="replace")[:_LONGEST_DEVICE]


class Origins:
    """Tells a client's address. What calls say of it is believed from the networks of our gateways alone."""

    def __init__(self, gateways: str = LOOPBACK) -> None:
        """`gateways` are networks joined by commas; raises ValueError."""
        self._gateways = networks(gateways)
        self._host = lru_cache(maxsize=4096)(self._host_of)

    def address(self, peer: str, forwarded: str) -> str:
        """Answers the address of who calls, "" if it has none.

        `peer` is gRPC's name of the connection's other end ("ipv4:10.0.0.7:50123"), `forwarded` what the
        metadata says.
        """
        host, trusted = self._host(peer.rpartition(":")[0])
        if not forwarded or not trusted:
            return host
        found = address_of(forwarded)
        return str(found) if found is not None else host

    def _host_of(self, end: str) -> tuple[str, bool]:
        kind, _, name = end.partition(":")
        found = address_of(unquote(name).strip("[]")) if kind in ("ipv4", "ipv6") else None
        if found is None:
            return "", False
        return str(found), any(found in network for network in self._gateways)

"""Which addresses are inside: everything that is not plainly a host on the public internet."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

Address = IPv4Address | IPv6Address

# What `is_global` lets pass, or let pass in some version of Python.
_INSIDE_V4 = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",
            "100.64.0.0/10",  # shared by carriers; the metadata of Alibaba's cloud
            "168.63.129.16/32",  # Azure's own services, on a public address
            "192.0.0.0/24",  # protocol assignments; the metadata of Oracle's cloud
            "192.88.99.0/24",  # relays into 6to4
            "198.18.0.0/15",
            "224.0.0.0/4",
            "240.0.0.0/4",
        ),
    )
)
_PUBLIC_V6 = IPv6Network("2000::/3")
# Tunnels and documentation within it: a tunnel's address hides the one it leads to.
_INSIDE_V6 = tuple(map(IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")))
_TRANSLATED = IPv6Network("64:ff9b::/96")


def is_inside(address: Address) -> bool:
    """Whether no request of a customer's making may reach the address."""
    if isinstance(address, IPv4Address):
        return not address.is_global or any(address in network for network in _INSIDE_V4)
    embedded = _embedded(address)
    if embedded is not None:
        return is_inside(embedded)
    public = address in _PUBLIC_V6 and address.is_global
    return not public or any(address in network for network in _INSIDE_V6)


def _embedded(address: IPv6Address) -> IPv4Address | None:
    """Answers the IPv4 address that a mapped or translated (NAT64) one leads to."""
    if address in _TRANSLATED:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped

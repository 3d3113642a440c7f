"""Asking the domain name system: by the machine's own resolvers, or by one that is named."""

from __future__ import annotations

from dns.asyncresolver import Resolver

LIFETIME = 5.0
"""Seconds in which a question is answered, retries included."""


def resolver(server: str | None) -> Resolver:
    """Answers a resolver. `server` is "address:port" of a DNS server; None means those of the machine.

    Names are absolute: the machine's search list and its hosts file have no say. Raises ValueError for a
    server that is no address.
    """
    if server is None:
        made = Resolver()
    else:
        address, _, port = server.rpartition(":")
        made = Resolver(configure=False)
        made.nameservers = [address.strip("[]")]
        made.port = int(port)
    made.lifetime = LIFETIME
    made.use_search_by_default = False
    return made

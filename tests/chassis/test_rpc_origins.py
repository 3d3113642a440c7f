"""From where a call comes: only our gateways are believed when they speak of others."""

from __future__ import annotations

import pytest

from chassis.rpc.origins import Origins, device
from chassis.testing.callers import Callers
from tests.chassis.playing import pb, served


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("ipv4:127.0.0.1:50123", "203.0.113.7", "203.0.113.7"),
        ("ipv6:%5B::1%5D:50123", "2001:DB8::7", "2001:db8::7"),
        ("ipv4:10.2.0.9:50123", "203.0.113.7", "203.0.113.7"),
        ("ipv4:198.51.100.4:50123", "203.0.113.7", "198.51.100.4"),
        ("ipv4:127.0.0.1:50123", "", "127.0.0.1"),
        ("ipv4:127.0.0.1:50123", "localhost", "127.0.0.1"),
        ("ipv4:127.0.0.1:50123", "::ffff:203.0.113.7", "203.0.113.7"),
        ("unix:/tmp/socket", "203.0.113.7", ""),
    ],
)
def test_a_client_has_the_address_that_is_believed(peer: str, forwarded: str, address: str) -> None:
    assert Origins("127.0.0.0/8, ::1/128,10.0.0.0/8").address(peer, forwarded) == address


def test_what_is_no_network_is_refused() -> None:
    with pytest.raises(ValueError, match="gateway"):
        Origins("gateway.local")


def test_a_device_is_readable_and_short() -> None:
    assert device("Caf%C3%A9 %FF") == "Caf\u00e9 \ufffd"
    assert len(device("x" * 5000)) == 300


async def test_a_handler_learns_address_and_device(callers: Callers) -> None:
    async with served(callers) as service:
        metadata = (("x-forwarded-for", "203.0.113.7"), ("x-user-agent", "Firefox"))
        await service.stub.Anyone(pb.Text(text="hello"), metadata=metadata)
        await service.stub.Anyone(pb.Text(text="hello"))
    first, second = service.sample.calls
    assert (first.address, first.device) == ("203.0.113.7", "Firefox")
    assert (second.address, second.device) == ("127.0.0.1", "")

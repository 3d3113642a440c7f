"""What a service gets from the chassis, and what it is made of."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from chassis.access.employment import AccessCache, AccessSource
from chassis.access.principals import Principals, PrincipalSource
from chassis.auth.tokens import JwksSource
from chassis.clock import Clock
from chassis.crypto import Keyring
from chassis.database import Database
from chassis.events.bus import Bus
from chassis.events.consumer import Consumer
from chassis.jobs import Job
from chassis.rpc.client import Peers
from chassis.rpc.server import AddServicer
from chassis.rpc.serving import Limits
from chassis.settings import ServiceSettings

S = TypeVar("S", bound=ServiceSettings)
S_co = TypeVar("S_co", bound=ServiceSettings, covariant=True)


class Background(Protocol):
    """Work of a service that goes on for as long as it serves."""

    async def start(self) -> None:
        """Begins; answers once under way."""

    async def stop(self) -> None:
        """Finishes what is in hand and ends."""


@dataclass(frozen=True)
class Runtime(Generic[S_co]):
    """What the chassis gives a service to work with."""

    service: str
    settings: S_co
    clock: Clock
    db: Database
    worker: Database
    bus: Bus
    peers: Peers
    keyring: Keyring
    principals: Principals
    access: AccessCache
    draining: asyncio.Event
    """Set when the process is about to end: long streams tell their clients to reconnect, and end."""


@dataclass
class Parts:
    """What a service is made of. The sources replace a question to a peer by a function of our own."""

    servicers: Sequence[tuple[AddServicer, object]] = ()
    consumers: Sequence[Consumer] = ()
    jobs: Sequence[Job] = ()
    background: Sequence[Background] = ()
    databases: Sequence[Database] = ()
    """Others than the runtime's in which events are published; who opened them closes them."""
    principals_source: PrincipalSource | None = None
    access_source: AccessSource | None = None
    jwks_source: JwksSource | None = None
    limits: Limits = field(default_factory=Limits)


Wire = Callable[[Runtime[S]], Parts | Awaitable[Parts]]

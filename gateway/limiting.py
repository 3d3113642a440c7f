"""Rate limits by caller and route, and by address over all of both (package `limits`)."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal, NoReturn

import structlog
from limits import RateLimitItem, WindowStats, parse
from limits.aio.storage import RedisStorage, Storage
from limits.aio.strategies import FixedWindowRateLimiter
from limits.errors import ConfigurationError, StorageError
from redis.asyncio import BlockingConnectionPool

from gateway.problems import refused
from gateway.settings import Settings, SettingsError
from gateway.windows import WindowStorage

log = structlog.get_logger("gateway")

_STORAGE_SECONDS = 0.5
"""How long a storage elsewhere may take for one count before the request passes uncounted."""
_AWAY_SECONDS = 5.0
"""How long a storage that failed is left alone."""
_CONNECTIONS = 32
"""To a Redis, from one process. Without a bound, a burst of requests opens as many as it has."""

RawHeader = tuple[bytes, bytes]
RouteClass = Literal["read", "write"]


class Limiter:
    """Counts hits.

    A storage that cannot be reached lets requests pass: limits protect, they do not authorize.
    """

    def __init__(self, settings: Settings) -> None:
        try:
            self._caller = {"read": _item(settings.rate_read), "write": _item(settings.rate_write)}
            self._address = _item(settings.rate_address)
            self._pool = _pool(settings.rate_storage)
            storage = WindowStorage() if self._pool is None else _redis(settings.rate_storage, self._pool)
        except (ValueError, ConfigurationError) as error:
            raise SettingsError(f"WRTN_GATEWAY_RATE_*: {error}") from error
        self._memory = storage if isinstance(storage, WindowStorage) else None
        self._limiter = FixedWindowRateLimiter(storage)
        self._away_until = 0.0

    async def check(
        self, headers: Mapping[bytes, bytes], address: str, route: str, route_class: RouteClass
    ) -> None:
        """Counts a request to `route`, the full name of an RPC.

        Raises Problem (429) with RateLimit headers when a limit is reached.
        """
        if self._address is not None:
            await self._hit(self._address, "address", "", address)
        if (item := self._caller[route_class]) is not None:
            credential = headers.get(b"authorization")
            caller = _hashed(credential) if credential else address
            await self._hit(item, route_class, route, caller)

    async def close(self) -> None:
        """Closes the connections to a storage elsewhere."""
        if self._pool is not None:
            await self._pool.aclose()

    async def _hit(self, item: RateLimitItem, *key: str) -> None:
        """`key` is the limit's name, the route (none for an address) and who is counted."""
        if self._memory is not None:
            counted = self._memory.count(_key(item, *key), item.get_expiry()) <= item.amount
        else:
            counted = await self._hit_elsewhere(item, *key)
        if not counted:
            await self._refuse(item, *key)

    async def _hit_elsewhere(self, item: RateLimitItem, *key: str) -> bool:
        if time.monotonic() < self._away_until:
            return True
        try:
            async with asyncio.timeout(_STORAGE_SECONDS):
                return await self._limiter.hit(item, *key)
        except (StorageError, TimeoutError) as error:
            self._away_until = time.monotonic() + _AWAY_SECONDS
            log.warning("rate_storage_away", error=type(error).__name__, seconds=_AWAY_SECONDS)
            return True

    async def _refuse(self, item: RateLimitItem, *key: str) -> NoReturn:
        try:
            async with asyncio.timeout(_STORAGE_SECONDS):
                stats = await self._limiter.get_window_stats(item, *key)
        except (StorageError, TimeoutError):
            stats = WindowStats(time.time() + item.get_expiry(), 0)
        wait = max(1, int(stats.reset_time - time.time()) + 1)
        name, whose = key[0].encode(), "address" if key[0] == "address" else "caller and RPC"
        headers: list[RawHeader] = [
            (b"ratelimit-policy", b'"%s";q=%d;w=%d' % (name, item.amount, item.get_expiry())),
            (b"ratelimit", b'"%s";r=%d;t=%d' % (name, stats.remaining, wait)),
            (b"retry-after", b"%d" % wait),
        ]
        raise refused(
            429, "RATE_LIMITED", f"More than {item} for this {whose}; try again in {wait} s.", headers
        )


def _pool(address: str) -> BlockingConnectionPool | None:
    if address == "memory://":
        return None
    if not address.startswith(("redis://", "rediss://")):
        scheme = address.partition("://")[0]  # and no more of it: passwords stand in addresses
        raise ConfigurationError(f"{scheme!r} is neither memory:// nor redis://host:port")
    # Ours, and not one that the storage makes: of that, nothing closes the connections.
    return BlockingConnectionPool.from_url(address, max_connections=_CONNECTIONS, timeout=_STORAGE_SECONDS)


def _redis(address: str, pool: BlockingConnectionPool) -> Storage:
    options: dict[str, Any] = {"connection_pool": pool}
    return RedisStorage(f"async+{address}", wrap_exceptions=True, implementation="redispy", **options)


def _item(text: str) -> RateLimitItem | None:
    return parse(text) if text and text != "off" else None


@lru_cache(maxsize=8192)
def _key(item: RateLimitItem, *key: str) -> str:
    return item.key_for(*key)


@lru_cache(maxsize=4096)
def _hashed(credential: bytes) -> str:
    """Credentials are kept nowhere, not even in the storage of the limits."""
    return hashlib.blake2b(credential, digest_size=16).hexdigest()

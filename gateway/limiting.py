"""Rate limits by caller and kind of route, and by address over all callers of it (package `limits`)."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Mapping
from functools import lru_cache
from typing import NoReturn

import structlog
from limits import RateLimitItem, WindowStats, parse
from limits.aio.storage import Storage
from limits.aio.strategies import FixedWindowRateLimiter
from limits.errors import ConfigurationError, StorageError
from limits.storage import storage_from_string

from gateway.problems import refused
from gateway.settings import Settings, SettingsError
from gateway.windows import WindowStorage

log = structlog.get_logger("gateway")

_STORAGE_SECONDS = 0.5
"""How long a storage elsewhere may take for one count before the request passes uncounted."""
_AWAY_SECONDS = 5.0
"""How long a storage that failed is left alone."""

RawHeader = tuple[bytes, bytes]


class Limiter:
    """Counts hits.

    A storage that cannot be reached lets requests pass: limits protect, they do not authorize.
    """

    def __init__(self, settings: Settings) -> None:
        try:
            self._caller = {"read": _item(settings.rate_read), "write": _item(settings.rate_write)}
            self._address = _item(settings.rate_address)
            storage = _storage(settings.rate_storage)
        except (ValueError, ConfigurationError) as error:
            raise SettingsError(f"WRTN_GATEWAY_RATE_*: {error}") from error
        self._limiter = FixedWindowRateLimiter(storage)
        self._memory = storage if isinstance(storage, WindowStorage) else None
        self._away_until = 0.0

    async def check(self, headers: Mapping[bytes, bytes], address: str, route_class: str) -> None:
        """Counts a request. Raises Problem (429) with RateLimit headers when a limit is reached."""
        if self._address is not None:
            await self._hit(self._address, "address", address)
        if (item := self._caller[route_class]) is not None:
            credential = headers.get(b"authorization")
            caller = _hashed(credential) if credential else address
            await self._hit(item, route_class, caller)

    async def _hit(self, item: RateLimitItem, kind: str, key: str) -> None:
        if self._memory is not None:
            counted = self._memory.count(_key(item, kind, key), item.get_expiry()) <= item.amount
        else:
            counted = await self._hit_elsewhere(item, kind, key)
        if not counted:
            await self._refuse(item, kind, key)

    async def _hit_elsewhere(self, item: RateLimitItem, kind: str, key: str) -> bool:
        if time.monotonic() < self._away_until:
            return True
        try:
            async with asyncio.timeout(_STORAGE_SECONDS):
                return await self._limiter.hit(item, kind, key)
        except (StorageError, TimeoutError) as error:
            self._away_until = time.monotonic() + _AWAY_SECONDS
            log.warning("rate_storage_away", error=type(error).__name__, seconds=_AWAY_SECONDS)
            return True

    async def _refuse(self, item: RateLimitItem, kind: str, key: str) -> NoReturn:
        try:
            async with asyncio.timeout(_STORAGE_SECONDS):
                stats = await self._limiter.get_window_stats(item, kind, key)
        except (StorageError, TimeoutError):
            stats = WindowStats(time.time() + item.get_expiry(), 0)
        wait = max(1, int(stats.reset_time - time.time()) + 1)
        headers: list[RawHeader] = [
            (b"ratelimit-policy", b'"%s";q=%d;w=%d' % (kind.encode(), item.amount, item.get_expiry())),
            (b"ratelimit", b'"%s";r=%d;t=%d' % (kind.encode(), stats.remaining, wait)),
            (b"retry-after", b"%d" % wait),
        ]
        raise refused(
            429, "RATE_LIMITED", f"More than {item} for this {kind}; try again in {wait} s.", headers
        )


def _storage(address: str) -> Storage:
    if address == "memory://":
        return WindowStorage()
    storage = storage_from_string(f"async+{address}", wrap_exceptions=True)
    if not isinstance(storage, Storage):
        raise ConfigurationError(f"{address!r} is no storage for asyncio")
    return storage


def _item(text: str) -> RateLimitItem | None:
    return parse(text) if text and text != "off" else None


@lru_cache(maxsize=8192)
def _key(item: RateLimitItem, kind: str, key: str) -> str:
    return item.key_for(kind, key)


@lru_cache(maxsize=4096)
def _hashed(credential: bytes) -> str:
    """Credentials are kept nowhere, not even in the storage of the limits."""
    return hashlib.blake2b(credential, digest_size=16).hexdigest()

"""WatchService: what people see of a session while it goes on."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from chassis.call import current
from services.sessions.watchers import Watchers
from wrtn.sessions.v1.watch_pb2 import WatchChatSessionRequest, WatchChatSessionResponse
from wrtn.sessions.v1.watch_pb2_grpc import WatchServiceServicer


class WatchRpc(WatchServiceServicer):
    """Each watch is a watcher of its own."""

    def __init__(self, watchers: Watchers) -> None:
        self._watchers = watchers

    async def WatchChatSession(
        self, request: WatchChatSessionRequest, context: Any
    ) -> AsyncGenerator[WatchChatSessionResponse, None]:
        """Shows the session until the caller leaves, or has to."""
        watcher = self._watchers.open(current().caller, request)
        try:
            async with aclosing(watcher.run()) as messages:
                async for message in messages:
                    yield message
        finally:
            self._watchers.close(watcher)

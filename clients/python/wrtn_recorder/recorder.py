"""The recorder: one channel to the sessions service, one stream a live connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import grpc

from wrtn.sessions.v1.recorder_pb2_grpc import RecorderServiceStub

from .recording import Recording
from .tokens import Tokens
from .values import Bounds, Event, Opening

if TYPE_CHECKING:
    from wrtn.sessions.v1.recorder_pb2_grpc import RecorderServiceAsyncStub

CHANNEL = (
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.initial_reconnect_backoff_ms", 100),
)


class Recorder:
    """Records conversations. `address` is the gRPC address of the sessions service, as in "127.0.0.1:50053".

    The channel is not secured unless `credentials` do it, for a mesh or a loopback. It is to be made in a
    running loop.
    """

    def __init__(
        self,
        address: str,
        tokens: Tokens,
        *,
        bounds: Bounds | None = None,
        credentials: grpc.ChannelCredentials | None = None,
    ) -> None:
        if credentials is None:
            self._channel = grpc.aio.insecure_channel(address, options=CHANNEL)
        else:
            self._channel = grpc.aio.secure_channel(address, credentials, options=CHANNEL)
        self._stub: RecorderServiceAsyncStub = RecorderServiceStub(self._channel)
        self._tokens = tokens
        self._bounds = bounds or Bounds()

    async def attach(
        self, opening: Opening, *, told: Callable[[Event], None] = lambda _event: None
    ) -> Recording:
        """Opens a connection with the ticket that the browser brought.

        `told` hears of events, and must not fail. Raises RecordingEnded if it is refused.
        """
        recording = Recording(self._stub, self._tokens, self._bounds, opening, told)
        try:
            await recording.opened()
        except BaseException:
            await recording.abort()
            raise
        return recording

    async def close(self) -> None:
        """Closes the channel. Recordings should be closed before."""
        await self._channel.close()

    async def __aenter__(self) -> Recorder:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

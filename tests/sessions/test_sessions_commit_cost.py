"""What a group commit costs: round trips to the database, whatever its size."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from sqlalchemy import make_url

from services.sessions import recording
from services.sessions.frames import Recorded
from tests.sessions.make import Sessions, tokens
from tests.sessions.test_sessions_recovery import desk_of


@dataclass
class Line:
    """A line to the database; a round trip is each time the client speaks after the server did."""

    port: int = 0
    round_trips: int = 0
    client_speaks: bool = False

    def heard(self, *, client: bool) -> None:
        """Notes who speaks."""
        self.round_trips += client and not self.client_speaks
        self.client_speaks = client


@asynccontextmanager
async def listening(socket: str) -> AsyncIterator[Line]:
    """Stands between a client and the database behind a Unix socket."""
    line = Line()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, client: bool) -> None:
        while data := await reader.read(65536):
            line.heard(client=client)
            writer.write(data)
        writer.close()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_unix_connection(socket)
        await asyncio.gather(
            pass_on(reader, up_writer, client=True), pass_on(up_reader, writer, client=False)
        )

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    line.port = server.sockets[0].getsockname()[1]
    async with server:
        yield line


@pytest.mark.parametrize("count", [1, 40])
async def test_a_group_commit_takes_two_round_trips_however_many_frames_it_has(
    sessions: Sessions, count: int
) -> None:
    clock, given = sessions.clock, make_url(sessions.running.runtime.settings.database_url)
    desks = [await desk_of(sessions, await sessions.session()) for _ in range(2)]
    async with listening(f"{given.query['host']}/.s.PGSQL.{given.query['port']}") as line:
        through = given.set(host="127.0.0.1", port=line.port, query={}).render_as_string(hide_password=False)
        database = recording.connect(through, lanes=1, clock=clock)
        try:
            await recording.record(database, [desks[0].pending(sessions.frame())], clock)
            before = line.round_trips
            frames = [each.pending(sessions.frame(token_usage=tokens(1, 1))) for each in desks * count]
            outcomes = await recording.record(database, frames, clock)
            assert all(isinstance(each, Recorded) for each in outcomes)
            assert line.round_trips - before == 2
        finally:
            await database.close()

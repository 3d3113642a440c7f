"""A line to the database that counts the round trips on it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy import make_url


@dataclass
class Line:
    """A round trip is each time the client speaks after the server did."""

    url: str = ""
    """The database, through this line."""
    round_trips: int = 0
    client_speaks: bool = False

    def heard(self, *, client: bool) -> None:
        """Notes who speaks."""
        self.round_trips += client and not self.client_speaks
        self.client_speaks = client


@asynccontextmanager
async def listening(url: str) -> AsyncIterator[Line]:
    """Stands between a client and the database that `url` names by its Unix socket."""
    line, given = Line(), make_url(url)
    socket = f"{given.query['host']}/.s.PGSQL.{given.query['port']}"

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
    through = given.set(host="127.0.0.1", port=server.sockets[0].getsockname()[1], query={})
    line.url = through.render_as_string(hide_password=False)
    async with server:
        yield line

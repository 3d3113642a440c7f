"""Dead letters: events whose effect failed again and again, kept until an operator decides.

    python -m chassis.events.dead_letters <service> list
    python -m chassis.events.dead_letters <service> replay  --consumer NAME (--event ID ... | --all)
    python -m chassis.events.dead_letters <service> discard --consumer NAME (--event ID ... | --all)

The database is WRTN_DATABASE_WORKER_URL. A replay is a request: a running replica of the service
applies the event within seconds, once; if it fails again it is dead again at once.

    failing --(max_failures)--> dead --replay--> replaying --ok--> (gone)
       |                         | \\--discard--> discarded  \\--failure--> dead
       \\--ok--> (gone)
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import class_row
from psycopg.types.json import Jsonb


class State(StrEnum):
    """Where a failed event stands."""

    FAILING = "failing"
    DEAD = "dead"
    REPLAYING = "replaying"
    DISCARDED = "discarded"


@dataclass(frozen=True, slots=True)
class Letter:
    """One failed event of one consumer, with the delivery as it came."""

    consumer: str
    event_id: UUID
    state: State
    subject: str
    headers: dict[str, str]
    payload: bytes
    failures: int
    last_error: str
    first_time: datetime
    last_time: datetime


_FIELDS = "consumer, event_id, state, subject, headers, payload, failures, last_error, first_time, last_time"
_FAIL = """
INSERT INTO wrtn_dead_letters AS letter (consumer, event_id, state, subject, headers, payload, failures,
                                         last_error, first_time, last_time)
VALUES (%(consumer)s, %(event_id)s, CASE WHEN %(most)s <= 1 THEN 'dead' ELSE 'failing' END, %(subject)s,
        %(headers)s, %(payload)s, 1, %(error)s, now(), now())
ON CONFLICT (consumer, event_id) DO UPDATE
SET failures = letter.failures + 1, last_error = excluded.last_error, last_time = excluded.last_time,
    state = CASE WHEN letter.state = 'discarded' THEN 'discarded'
                 WHEN letter.state = 'failing' AND letter.failures + 1 < %(most)s THEN 'failing'
                 ELSE 'dead' END
RETURNING failures, state
"""
_CHOSEN = (
    "consumer = %(consumer)s AND state = 'dead' AND (%(ids)s::uuid[] IS NULL OR event_id = ANY(%(ids)s))"
)
_REPLAY = f"UPDATE wrtn_dead_letters SET state = 'replaying' WHERE {_CHOSEN} RETURNING event_id"  # noqa: S608
# The row stays, and keeps the event away when its stream is rebuilt.
_DISCARD = f"UPDATE wrtn_dead_letters SET state = 'discarded' WHERE {_CHOSEN} RETURNING event_id"  # noqa: S608


async def record_failure(
    connection: AsyncConnection[Any],
    *,
    consumer: str,
    event_id: UUID,
    subject: str,
    headers: Mapping[str, str],
    payload: bytes,
    error: str,
    most: int,
) -> tuple[int, State]:
    """Counts one completed failure; at `most` of them the event is dead. Answers the count and the state."""
    values = {
        "consumer": consumer,
        "event_id": event_id,
        "subject": subject,
        "headers": Jsonb(dict(headers)),
        "payload": payload,
        "error": error,
        "most": most,
    }
    row = await (await connection.execute(_FAIL, values)).fetchone()
    assert row is not None, "INSERT ... DO UPDATE RETURNING answers a row"  # noqa: S101
    return row[0], State(row[1])


async def letters(
    connection: AsyncConnection[Any],
    consumer: str | None = None,
    state: State | None = None,
    limit: int = 1000,
) -> list[Letter]:
    """Lists letters, oldest first, at most `limit`."""
    query = f"""SELECT {_FIELDS} FROM wrtn_dead_letters
                WHERE (%(consumer)s::text IS NULL OR consumer = %(consumer)s)
                  AND (%(state)s::text IS NULL OR state = %(state)s)
                ORDER BY first_time, event_id LIMIT %(limit)s"""  # noqa: S608
    values = {"consumer": consumer, "state": state, "limit": limit}
    async with connection.cursor(row_factory=class_row(Letter)) as cursor:
        await cursor.execute(query, values)
        return await cursor.fetchall()


async def take(connection: AsyncConnection[Any], consumer: str, event_id: UUID) -> bool:
    """Removes a letter that is to be replayed, in the transaction of the effect; false if another took it."""
    cursor = await connection.execute(
        "DELETE FROM wrtn_dead_letters WHERE consumer = %s AND event_id = %s AND state = 'replaying'",
        (consumer, event_id),
    )
    return cursor.rowcount == 1


async def replay(connection: AsyncConnection[Any], consumer: str, ids: Sequence[UUID] | None) -> list[UUID]:
    """Asks for dead letters (all of the consumer's if None) to be applied. Answers those it found."""
    return await _chosen(connection, _REPLAY, consumer, ids)


async def discard(connection: AsyncConnection[Any], consumer: str, ids: Sequence[UUID] | None) -> list[UUID]:
    """Gives dead letters (all of the consumer's if None) up for good. Answers those it found."""
    return await _chosen(connection, _DISCARD, consumer, ids)


async def _chosen(
    connection: AsyncConnection[Any], query: str, consumer: str, ids: Sequence[UUID] | None
) -> list[UUID]:
    values = {"consumer": consumer, "ids": list(ids) if ids is not None else None}
    cursor = await connection.execute(query, values)
    return [row[0] for row in await cursor.fetchall()]


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m chassis.events.dead_letters", description="Dead letters")
    parser.add_argument("service")
    parser.add_argument("action", choices=["list", "replay", "discard"])
    parser.add_argument("--consumer")
    parser.add_argument("--event", type=UUID, action="append", metavar="ID")
    parser.add_argument("--all", action="store_true", help="every dead letter of the consumer")
    return parser


async def _act(arguments: argparse.Namespace, url: str) -> str:
    async with await AsyncConnection.connect(url, connect_timeout=5) as connection:
        if connection.info.dbname.removeprefix("wrtn_").split("_")[0] != arguments.service:
            raise SystemExit(f"the database {connection.info.dbname} is not that of {arguments.service}")
        if arguments.action == "list":
            return "".join(_line(letter) for letter in await letters(connection, arguments.consumer))
        work = replay if arguments.action == "replay" else discard
        found = await work(connection, arguments.consumer, None if arguments.all else arguments.event)
        return f"{arguments.action}: {len(found)} dead letters\n"


def _line(letter: Letter) -> str:
    shown = {
        "consumer": letter.consumer,
        "event": str(letter.event_id),
        "state": letter.state,
        "subject": letter.subject,
        "tenant": letter.headers.get("ce-wrtntenant"),
        "failures": letter.failures,
        "error": letter.last_error,
        "first": letter.first_time.isoformat(),
        "last": letter.last_time.isoformat(),
    }
    return json.dumps(shown) + "\n"


def main(argv: Sequence[str], environ: Mapping[str, str]) -> None:
    """Runs the command line; prints a JSON object a letter, or how many were replayed or discarded."""
    parser = _arguments()
    arguments = parser.parse_args(argv)
    if arguments.action != "list" and (not arguments.consumer or bool(arguments.event) == arguments.all):
        parser.error("name --consumer, and either --event or --all")
    url = environ.get("WRTN_DATABASE_WORKER_URL")
    if not url:
        parser.error("WRTN_DATABASE_WORKER_URL is not set")
    try:
        sys.stdout.write(
            asyncio.run(_act(arguments, url.replace("postgresql+psycopg://", "postgresql://", 1)))
        )
    except psycopg.Error as error:
        raise SystemExit(f"the database refused: {type(error).__name__}: {error}") from error


if __name__ == "__main__":
    main(sys.argv[1:], os.environ)

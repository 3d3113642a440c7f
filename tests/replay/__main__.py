"""Plays conversations into a running suite and reconciles: what `make replay` runs.

    python -m tests.replay [--conversations FILE] [--trace FILE] [--repeat N] [--parallel N]

It exits with 1 on any difference between its journal and sessions, billing or analytics. After an
interruption the same command goes on where it stopped.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from clients.python.wrtn_recorder import FrameRejected, Recorder, RecordingEnded, service_tokens
from deploy.local.plan import Plan
from tests.replay import world
from tests.replay.conversations import conversations
from tests.replay.journal import Journal
from tests.replay.play import Player, Session
from tests.replay.reconcile import Line, Reconciliation
from tests.replay.rest import Refused, Rest

DATA = Path(__file__).parent / "data"
MOST_LINES = 40
GATEWAY_SECONDS = 15
STOPS = (TimeoutError, Refused, FrameRejected, RecordingEnded, ValueError, OSError)
"""What ends a replay before it is done."""


def main() -> None:
    """Plays, reconciles, and exits with what came of it."""
    arguments = parsed()
    console = Console()
    try:
        equal = asyncio.run(replay(arguments, console))
    except* KeyboardInterrupt:
        sys.exit("interrupted: the same command goes on from here")
    except* STOPS as faults:
        reasons = "\n".join(f"  {fault}" for fault in _leaves(faults))
        sys.exit(f"the replay stopped; the same command goes on from here:\n{reasons}")
    sys.exit(0 if equal else 1)


def _leaves(faults: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    """Yields the faults inside groups."""
    for fault in faults.exceptions:
        if isinstance(fault, BaseExceptionGroup):
            yield from _leaves(fault)
        else:
            yield fault


def parsed() -> argparse.Namespace:
    """Reads the command line; the addresses are those of the suite on this machine unless given."""
    plan = Plan.of(os.environ)
    parser = argparse.ArgumentParser("tests.replay", description="Plays conversations into a running suite.")
    parser.add_argument("--conversations", type=Path, default=DATA / "conversations.jsonl")
    parser.add_argument("--trace", type=Path, default=DATA / "trace.csv")
    parser.add_argument("--repeat", type=int, default=1, help="play the input this often, in new sessions")
    parser.add_argument("--parallel", type=int, default=16, help="how many sessions at once")
    parser.add_argument("--gateway", default=plan.url("gateway"))
    parser.add_argument("--sessions", default=plan.address("sessions"), help="gRPC address of sessions")
    parser.add_argument("--mail", default=plan.url("mail"), help="where caught mail can be read")
    parser.add_argument("--journal", type=Path, default=plan.state / "replay")
    return parser.parse_args()


async def replay(arguments: argparse.Namespace, console: Console) -> bool:
    """Builds the world, plays, reconciles; answers whether all is equal."""
    journal = Journal.open(arguments.journal, _what(arguments))
    if journal.acks:
        console.print(f"going on with run {journal.run}: {len(journal.acks)} frames are durable already")
    script = conversations(arguments.conversations, arguments.trace, arguments.repeat, journal.run)
    rest = Rest(arguments.gateway)
    gateway = {"base_url": arguments.gateway, "timeout": GATEWAY_SECONDS, "trust_env": False}
    async with httpx.AsyncClient(**gateway) as client:
        try:
            await rest.reach()
            console.print("members sign up, an enterprise is built")
            built = await world.build(
                rest,
                arguments.mail,
                journal.run,
                journal.facts.get("secret"),
                journal.facts.get("credential"),
            )
            journal.note(secret=built.secret, credential=built.credential_id)
            frames = sum(len(each.frames) for each in script)
            with bar(console) as progress:
                task = progress.add_task("recording", total=frames, rate="")
                began, start = time.monotonic(), len(journal.acks)

                def advance(count: int) -> None:
                    done = len(journal.acks) - start
                    rate = f"{done / (time.monotonic() - began):,.0f} frames/s"
                    progress.update(task, advance=count, rate=rate)

                tokens = service_tokens(client, built.credential_id, built.secret)
                async with Recorder(arguments.sessions, tokens) as recorder:
                    player = Player(rest, recorder, built, journal, advance, arguments.parallel)
                    sessions = await player.play(script)
            console.print("reconciling")
            lines = [line async for line in Reconciliation(rest, built, sessions).lines()]
        finally:
            await rest.close()
    equal = report(console, sessions, lines)
    journal.note(finished=True)
    return equal


def bar(console: Console) -> Progress:
    """Builds the progress bar, with a rate."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, TextColumn("{task.fields[rate]}"), TimeElapsedColumn(), console=console)


def report(console: Console, sessions: list[Session], lines: list[Line]) -> bool:
    """Prints the reconciliation; answers whether there is no difference."""
    different = [line for line in lines if not line.equal]
    for line in different[:MOST_LINES]:
        console.print(
            f"DIFFERENT {line.source}: {line.what}: journal {line.ours}, there {line.theirs}", soft_wrap=True
        )
    if len(different) > MOST_LINES:
        console.print(f"... and {len(different) - MOST_LINES} more")
    shown = [line for line in lines if line.what.startswith("enterprise ") or line.source == "ledger"]
    for line in shown:
        sign = "=" if line.equal else "!="
        console.print(f"  {line.source:<10} {line.what:<28} {line.ours!s:>18} {sign} {line.theirs}")
    console.print(f"{len(sessions)} sessions, {len(lines)} comparisons, {len(different)} differences")
    return not different


def _what(arguments: argparse.Namespace) -> dict[str, Any]:
    """Says what is played, so that another input is another run."""
    content = arguments.conversations.read_bytes() + arguments.trace.read_bytes()
    return {
        "input": hashlib.sha256(content).hexdigest(),
        "repeat": arguments.repeat,
        "gateway": arguments.gateway,
    }


if __name__ == "__main__":
    main()

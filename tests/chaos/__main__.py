"""Guarantee R1 for minutes: `python -m tests.chaos [--repeat N] [--every SECONDS] [--conversations FILE]`.

Starts a suite of its own, plays the input into it REPEAT times over, and all the while kills one
process after the other with kill -9, each when the one before serves again: services, gateway, mail,
PostgreSQL, NATS. Nothing that was acknowledged may be lost, and nothing counted twice. Exits with the
replay's code.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from deploy.local.plan import ROOT, SERVICES
from tests.e2e.suite import Suite, running

SERVERS = ("postgres", "nats")
VICTIMS = (*SERVICES, "gateway", "mail", *SERVERS)
POLL_SECONDS = 0.1
LONGEST_RECOVERY_SECONDS = 60
SHARED = ROOT.parent / "shared" / "data"


def main() -> None:
    """Runs the chaos and says what came of it."""
    arguments = parsed()
    with tempfile.TemporaryDirectory(prefix="wrtn-chaos-") as folder, running(Path(folder)) as suite:
        killed, code = chaos(suite, arguments, victims())
        print(f"killed {len(killed)} processes; the replay ended with {code}")
        if code:
            print(suite.said()[-4000:])
    sys.exit(code)


def chaos(suite: Suite, arguments: argparse.Namespace, to_kill: Iterator[str]) -> tuple[list[str], int]:
    """Kills one after the other until the replay ends; answers whom, and the replay's exit code."""
    command = [sys.executable, "-m", "tests.replay", "--repeat", str(arguments.repeat)]
    if arguments.conversations:
        command += ["--conversations", str(arguments.conversations), "--trace", str(arguments.trace)]
    replay = subprocess.Popen(command, cwd=ROOT, env=suite.environ)
    killed = []
    try:
        while not ended(replay, arguments.every) and (victim := next(to_kill, None)):
            if pid := kill(suite, victim):
                killed.append(victim)
                say(f"{victim} served again after {recovery(suite, victim, pid, replay):.1f} s")
        return killed, replay.wait()
    finally:
        if replay.poll() is None:
            replay.terminate()


def victims() -> Iterator[str]:
    """Every process once, in an order of chance, then all again in another."""
    while True:
        yield from random.sample(VICTIMS, len(VICTIMS))


def ended(replay: subprocess.Popen[bytes], seconds: float) -> bool:
    """Waits for the replay's end, so long at most."""
    try:
        replay.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def kill(suite: Suite, victim: str) -> int | None:
    """Kills one process by its id, and answers it; None if there was none."""
    pid = suite.pid(victim)
    if pid is None:
        return None
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return None
    say(f"killed {victim}")
    return pid


def recovery(suite: Suite, victim: str, killed: int, replay: subprocess.Popen[bytes]) -> float:
    """Waits until the victim is started again and serves, or the replay has ended; answers the seconds."""
    began = time.monotonic()
    while suite.pid(victim) in (killed, None) or not serves(suite, victim):
        if ended(replay, POLL_SECONDS):
            break
        if time.monotonic() - began > LONGEST_RECOVERY_SECONDS:
            say(f"{victim} does not come back")
            break
    return time.monotonic() - began


def serves(suite: Suite, victim: str) -> bool:
    """Whether the process answers that it is ready; the supervisor notes a server only once it is."""
    place = f"{victim}_metrics" if victim in SERVICES else victim
    path = "/" if victim == "mail" else "/readyz"
    if victim in SERVERS:
        return True
    try:
        return httpx.get(suite.plan.url(place) + path, timeout=2, trust_env=False).is_success
    except httpx.TransportError:
        return False


def say(line: str) -> None:
    """Prints a line with the time of the day."""
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


def parsed() -> argparse.Namespace:
    """Reads the command line."""
    there = SHARED.exists()
    parser = argparse.ArgumentParser(
        "tests.chaos", description="Kills every process again and again under load."
    )
    parser.add_argument("--repeat", type=int, default=10)
    parser.add_argument("--every", type=float, default=2.0, help="seconds from one recovery to the next kill")
    parser.add_argument(
        "--conversations", type=Path, default=SHARED / "airline-conversations.jsonl" if there else None
    )
    parser.add_argument("--trace", type=Path, default=SHARED / "azure-llm-trace-conv.csv" if there else None)
    return parser.parse_args()


if __name__ == "__main__":
    main()

"""Guarantee R1 for minutes: `python -m tests.chaos [--repeat N] [--every SECONDS] [--conversations FILE]`.

Starts a suite of its own, plays the input into it REPEAT times over, and all the while kills one
process after the other with kill -9: services, gateway, PostgreSQL, NATS. Nothing that was
acknowledged may be lost, and nothing counted twice. Exits with the replay's code.
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

from deploy.local.plan import ROOT, SERVICES
from tests.e2e.suite import Suite, running

VICTIMS = (*SERVICES, "gateway", "postgres", "nats")
SHARED = ROOT.parent / "shared" / "data"


def main() -> None:
    """Runs the chaos and says what came of it."""
    arguments = parsed()
    with tempfile.TemporaryDirectory(prefix="wrtn-chaos-") as folder, running(Path(folder)) as suite:
        kills, code = chaos(suite, arguments)
        print(f"killed {kills} processes; the replay ended with {code}")
        if code:
            print(suite.said()[-4000:])
    sys.exit(code)


def chaos(suite: Suite, arguments: argparse.Namespace) -> tuple[int, int]:
    """Kills until the replay ends; answers how many were killed, and the replay's exit code."""
    command = [sys.executable, "-m", "tests.replay", "--repeat", str(arguments.repeat)]
    if arguments.conversations:
        command += ["--conversations", str(arguments.conversations), "--trace", str(arguments.trace)]
    replay = subprocess.Popen(command, cwd=ROOT, env=suite.environ)
    kills = 0
    try:
        for victim in victims():
            if ended(replay, arguments.every):
                break
            kills += kill(suite, victim)
    finally:
        if replay.poll() is None:
            replay.terminate()
    return kills, replay.wait()


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


def kill(suite: Suite, victim: str) -> bool:
    """Kills one process by its id; answers whether it was there."""
    pid = suite.pid(victim)
    if pid is None:
        return False
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    print(f"{time.strftime('%H:%M:%S')} killed {victim}", flush=True)
    return True


def parsed() -> argparse.Namespace:
    """Reads the command line."""
    there = SHARED.exists()
    parser = argparse.ArgumentParser(
        "tests.chaos", description="Kills every process again and again under load."
    )
    parser.add_argument("--repeat", type=int, default=10)
    parser.add_argument("--every", type=float, default=2.0, help="seconds between two kills")
    parser.add_argument(
        "--conversations", type=Path, default=SHARED / "airline-conversations.jsonl" if there else None
    )
    parser.add_argument("--trace", type=Path, default=SHARED / "azure-llm-trace-conv.csv" if there else None)
    return parser.parse_args()


if __name__ == "__main__":
    main()

"""The processes of the bench: `python -m tests.bench.servers WHAT ...` says one line of JSON and serves."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chassis.database.roles import Urls
from deploy.local.plan import ROOT
from tests.bench import floors, identity, ours, spending

STOP_SECONDS = 20


def main() -> None:
    """Serves what the command line names, until SIGTERM."""
    what, *arguments = sys.argv[1:]
    match what:
        case "inserting":
            floors.run(floors.inserting(arguments[0]))
        case "canned":
            floors.run(floors.canned())
        case "rest":
            floors.run(floors.rest(arguments[0], int(arguments[1])))
        case "sessions":
            owner, app, worker, nats_url, folder, count = arguments
            floors.run(ours.sessions(Urls(owner, app, worker), nats_url, Path(folder), int(count)))
        case "updating":
            floors.run(spending.updating(arguments[0]))
        case "billing":
            owner, app, worker, nats_url, folder = arguments
            floors.run(spending.billing(Urls(owner, app, worker), nats_url, Path(folder)))
        case "identity":
            owner, app, worker, nats_url, folder = arguments
            floors.run(identity.identity(Urls(owner, app, worker), nats_url, Path(folder)))
        case _:
            sys.exit(f"there is no {what}")


@contextmanager
def serving(what: str, *arguments: str) -> Iterator[dict[str, Any]]:
    """Starts one of them as a process, and yields what it said; stops it by its id."""
    command = [sys.executable, "-m", "tests.bench.servers", what, *arguments]
    with started(command) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith(b'{"port"'):  # what it says; before it there may be log lines
                break
        else:
            raise RuntimeError(f"{what} ended with {process.wait()}")
        yield json.loads(line)


@contextmanager
def started(command: list[str], **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Runs a process, and stops it by its id."""
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, **options)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


if __name__ == "__main__":
    main()

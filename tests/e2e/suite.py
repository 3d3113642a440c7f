"""A suite of the tests' own: started as `make run` starts it, on free ports, over a folder of its own."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from deploy.local.plan import DEFAULT_PORTS, ROOT, SERVICES, Plan

START_SECONDS = 120
STOP_SECONDS = 60


class Suite:
    """A running suite."""

    def __init__(self, process: subprocess.Popen[bytes], environ: Mapping[str, str], output: Path) -> None:
        self.process = process
        self.environ = dict(environ)
        self.plan = Plan.of(environ)
        self._output = output

    def said(self) -> str:
        """Answers what the suite printed so far."""
        return self._output.read_text()

    def wait_until_up(self) -> None:
        """Returns when the table of addresses is printed."""
        deadline = time.monotonic() + START_SECONDS
        while "wrtn is up" not in self.said():
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.05)

    def stop(self) -> int:
        """Presses Ctrl-C; answers the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(STOP_SECONDS)

    def admin(self, *arguments: str) -> str:
        """Runs identity's command line, as `make admin` does; answers what it printed."""
        return self.module("services.identity.admin", *arguments)

    def module(self, name: str, *arguments: str) -> str:
        """Runs a module in identity's environment; answers what it printed."""
        command = [sys.executable, "-m", "deploy.local", "exec", "identity", "-m", name]
        ran = subprocess.run(
            [*command, *arguments], cwd=ROOT, env=self.environ, capture_output=True, text=True, check=False
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    def pid(self, name: str) -> int | None:
        """Answers the id of one of its processes, if it is known now."""
        try:
            return int((self.plan.state / "pids" / f"{name}.pid").read_text())
        except (FileNotFoundError, ValueError):
            return None


@contextmanager
def running(folder: Path, **settings: str) -> Iterator[Suite]:
    """Starts a suite over `folder`, and stops it at the end."""
    environ = {**os.environ, **free_ports(), "WRTN_LOCAL_DIR": str(folder / "state"), **settings}
    output = folder / "output.txt"
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "deploy.local"],
            cwd=ROOT,
            env=environ,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    suite = Suite(process, environ, output)
    try:
        suite.wait_until_up()
        yield suite
    finally:
        if process.poll() is None:
            suite.stop()


def ended(environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Starts a suite that is expected to refuse, and answers how it ended."""
    command = [sys.executable, "-m", "deploy.local"]
    return subprocess.run(
        command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60, check=False
    )


def free_ports() -> dict[str, str]:
    """Chooses free ports for every process, below those that the system gives to outgoing connections."""
    names = [*DEFAULT_PORTS, *(f"{service}_metrics" for service in SERVICES)]
    candidates = iter(random.sample(range(10_000, 30_000), 500))
    return {f"WRTN_{name.upper()}_PORT": str(next(filter(_free, candidates))) for name in names}


def _free(port: int) -> bool:
    """Whether nothing listens there."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def replay(suite: Suite, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs the replay against a suite, to its end."""
    command = [sys.executable, "-m", "tests.replay", *arguments]
    return subprocess.run(command, cwd=ROOT, env=suite.environ, capture_output=True, text=True, check=False)

"""The main job while things break: a killed replay goes on, and a replay outlives every process's kill."""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from deploy.local.plan import ROOT
from tests.chaos.__main__ import VICTIMS, chaos
from tests.e2e.suite import Suite, replay, running

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

REPEAT = 20


@pytest.fixture(scope="module")
def own() -> Iterator[Suite]:
    """A suite that may be broken."""
    with (
        TemporaryDirectory(prefix="wrtn-", ignore_cleanup_errors=True) as folder,
        running(Path(folder)) as started,
    ):
        yield started


def test_a_replay_that_was_killed_goes_on_where_it_stopped(own: Suite) -> None:
    acks = own.plan.state / "replay" / "acks.jsonl"
    command = [sys.executable, "-m", "tests.replay", "--repeat", str(REPEAT)]
    with subprocess.Popen(command, cwd=ROOT, env=own.environ, stdout=subprocess.DEVNULL) as first:
        until(lambda: lines(acks) > 100, first)
        first.send_signal(signal.SIGKILL)
    done_before = lines(acks)
    second = replay(own, "--repeat", str(REPEAT))
    assert second.returncode == 0, second.stdout + second.stderr
    assert "going on with run" in second.stdout
    assert "0 differences" in second.stdout
    assert 100 < done_before < lines(acks)


def test_a_replay_outlives_the_kill_of_every_process(own: Suite) -> None:
    """Guarantee R1, one round of it; `make chaos` goes on for minutes.

    How long the kills take depends on the machine: one replay follows the other until all is killed.
    """
    arguments = argparse.Namespace(repeat=REPEAT, every=0.5, conversations=None, trace=None)
    order = random.sample(VICTIMS, len(VICTIMS))
    to_kill, killed = iter(order), list[str]()
    while killed != order:
        more, code = chaos(own, arguments, to_kill)
        assert code == 0, own.said()
        assert more, "no process was killed while this replay ran"
        killed += more


def lines(path: Path) -> int:
    """Answers how many lines a file has by now."""
    return path.read_text().count("\n") if path.exists() else 0


def until(condition: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    """Waits for a condition while the process runs."""

    deadline = time.monotonic() + 120
    while not condition():
        assert process.poll() is None, "the replay ended before it was to be killed"
        assert time.monotonic() < deadline
        time.sleep(0.05)

"""Keeps processes running: a crashed one comes back, with its last words shown."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

import psutil

from chassis.embedded.process import ServerFailed
from deploy.local.program import Process, Program

POLL_SECONDS = 0.1
# A process that fails again and again is started ever more seldom, up to this.
LONGEST_PAUSE_SECONDS = 5.0
# A process that ran this long had come up well: its next crash is a first one.
SOUND_SECONDS = 20.0


@dataclass
class Watched:
    """A process, and when it may be started again."""

    name: str
    process: Process
    pause: float = 0.0
    started: float = field(default_factory=time.monotonic)
    due: float | None = None


class Supervisor:
    """Starts, watches and stops processes, in the order in which they were added."""

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self._pids = folder
        self._say = say
        self._watched: list[Watched] = []
        self.stopping = Event()

    def start(self, name: str, process: Process) -> None:
        """Starts a process and keeps it from now on; its id stands in `<name>.pid`."""
        process.start()
        self._watched.append(Watched(name, process))
        self._note(name, process)

    def watch(self) -> None:
        """Restarts what ends, until `stopping` is set."""
        while not self.stopping.wait(POLL_SECONDS):
            for each in self._watched:
                self._attend(each)

    def stop(self) -> None:
        """Asks all programs to end together, then stops the servers under them, the last started first."""
        for each in self._watched:
            # Asked for once: a process that ends meanwhile is a zombie of ours and may be signalled.
            if isinstance(each.process, Program) and (pid := each.process.pid):
                os.kill(pid, signal.SIGTERM)
        for each in reversed(self._watched):
            with contextlib.suppress(ServerFailed):
                each.process.stop()
            (self._pids / f"{each.name}.pid").unlink(missing_ok=True)

    def _attend(self, each: Watched) -> None:
        if each.process.running:
            return
        now = time.monotonic()
        if each.due is None:
            self._mourn(each, now)
        elif now >= each.due:
            self._revive(each)

    def _mourn(self, each: Watched, now: float) -> None:
        sound = now - each.started > SOUND_SECONDS
        each.pause = 0.0 if sound else min(LONGEST_PAUSE_SECONDS, each.pause * 2 or 0.2)
        each.due = now + each.pause
        said = ""
        if isinstance(each.process, Program):
            said = f": {each.process.last_words()}"
            each.process.sweep()
        self._say(f"{each.name} ended{said}")

    def _revive(self, each: Watched) -> None:
        each.started, each.due = time.monotonic(), None
        try:
            each.process.start()
        except ServerFailed as failure:
            self._say(f"{each.name} does not start: {failure}")
            return
        self._note(each.name, each.process)
        self._say(f"{each.name} is started again, as process {each.process.pid}")

    def _note(self, name: str, process: Process) -> None:
        (self._pids / f"{name}.pid").write_text(str(process.pid))


def stop_leftovers(folder: Path, mark: str) -> list[str]:
    """Stops the processes that a killed supervisor left, by the ids it noted; answers their names.

    A process counts as ours only if its command line or environment carries `mark`: ids are used again.
    """
    stopped = []
    for file in sorted(folder.glob("*.pid")):
        with contextlib.suppress(psutil.Error, ValueError):
            process = psutil.Process(int(file.read_text()))
            if any(
                mark in part for part in [*process.cmdline(), process.environ().get("WRTN_LOCAL_MARK", "")]
            ):
                # PostgreSQL takes SIGINT as its fast shutdown, the others as their end.
                process.send_signal(signal.SIGINT if file.stem == "postgres" else signal.SIGTERM)
                _wait(process)
                stopped.append(file.stem)
        file.unlink()
    return stopped


def _wait(process: psutil.Process) -> None:
    try:
        process.wait(20)
    except psutil.TimeoutExpired:
        process.kill()
        process.wait(20)

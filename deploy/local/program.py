"""One supervised process: what starts it, when it is ready, and what it said last."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from chassis.embedded.process import ServerFailed

READY_TIMEOUT_SECONDS = 60
STOP_TIMEOUT_SECONDS = 20
MOST_LOG_BYTES = 16 * 1024 * 1024
"""A longer log is set aside when its process starts; the one set aside before goes."""
# No proxy of the machine may stand between us and our own loopback.
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Process(Protocol):
    """What the supervisor keeps running: one of our programs, or an embedded server."""

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""

    @property
    def running(self) -> bool:
        """Whether it runs."""

    def start(self) -> None:
        """Starts it; embedded servers return when they are ready."""

    def stop(self) -> None:
        """Stops it and waits for its end."""


class Program:
    """A program of ours. Its output goes to a log file; `ready_url` answers 200 once it serves."""

    def __init__(self, command: Sequence[str], environ: Mapping[str, str], log: Path, ready_url: str) -> None:
        self.log = log
        self._command = list(command)
        self._environ = dict(environ)
        self._ready_url = ready_url
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process and self.running else None

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Starts it and returns at once; `ready` tells when it serves."""
        if self.log.exists() and self.log.stat().st_size > MOST_LOG_BYTES:
            self.log.replace(self.log.with_suffix(".old.log"))
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                self._command,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # Ctrl-C is ours alone to hear: we stop the processes in order.
                start_new_session=True,
            )

    def ready(self) -> bool:
        """Asks the program whether it serves."""
        try:
            with _direct.open(self._ready_url, timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def wait_ready(self) -> None:
        """Returns when it serves; raises ServerFailed, with its last words, if it does not."""
        deadline = time.monotonic() + READY_TIMEOUT_SECONDS
        while not self.ready():
            if not self.running:
                raise ServerFailed(f"it ended at once: {self.last_words()}")
            if time.monotonic() > deadline:
                raise ServerFailed(f"not ready after {READY_TIMEOUT_SECONDS} s: {self.last_words()}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Asks it to end, waits, and kills what is left of it."""
        if self._process is None:
            return
        if self.running:
            self._process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_TIMEOUT_SECONDS)
        self.sweep()

    def sweep(self) -> None:
        """Kills the children that it left behind; they share its process group."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def last_words(self) -> str:
        """Answers the last line of its log."""
        with self.log.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - 4000))
            lines = file.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "(it said nothing)"

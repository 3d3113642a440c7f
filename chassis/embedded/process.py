"""What the embedded servers share: a child process that is started, found ready, and stopped by its id."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil

POLL_SECONDS = 0.02


class ServerFailed(Exception):
    """The server did not come up; the message carries the end of its log."""


class Child:
    """A running server. Its output goes to `log`; `environ` and `user` are those of subprocess.Popen."""

    def __init__(self, arguments: list[str], log: Path, *, user: str | None = None) -> None:
        self.log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603 - the arguments are ours
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                user=user,
                group=user,
                extra_groups=[] if user else None,
                # Ctrl-C reaches the whole foreground group; the servers are to outlive the services.
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process id, also after the end."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """The exit code, or None while the process runs."""
        return self._process.poll()

    def wait_until(self, ready: Callable[[], bool], timeout: float) -> None:
        """Returns when `ready` holds; raises ServerFailed if the process ends or `timeout` seconds pass."""
        deadline = time.monotonic() + timeout
        while not ready():
            if self.exit_code is not None:
                raise ServerFailed(f"ended with code {self.exit_code}: {self._last_words()}")
            if time.monotonic() > deadline:
                self.stop(signal.SIGKILL, timeout)
                raise ServerFailed(f"not ready after {timeout} s: {self._last_words()}")
            time.sleep(POLL_SECONDS)

    def stop(self, by: signal.Signals, timeout: float) -> None:
        """Sends the signal, and kills after `timeout` seconds. Does nothing if the process has ended."""
        if self.exit_code is not None:
            return
        self._process.send_signal(by)
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(timeout)

    def _last_words(self) -> str:
        return self.log.read_text(errors="replace")[-2000:].strip()


def stop_leftover(pid_file: Path, argument: str, by: signal.Signals, timeout: float) -> None:
    """Stops a server over the same folder that outlived whoever started it (killed with -9, say).

    The file names its process; that must have `argument` on its command line, since ids are used again.
    Raises ServerFailed if it does not end within `timeout` seconds, killed or not.
    """
    try:
        process = psutil.Process(int(pid_file.read_text().split()[0]))
        if argument not in process.cmdline():
            return
        process.send_signal(by)
        try:
            process.wait(timeout)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(timeout)
    except (FileNotFoundError, IndexError, ValueError, psutil.NoSuchProcess):
        return
    except (psutil.AccessDenied, psutil.TimeoutExpired) as error:
        raise ServerFailed(f"another server runs over the same folder: {error}") from error

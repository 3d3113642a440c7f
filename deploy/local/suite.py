"""The suite on one machine: what is prepared, what is started, in which order, and what is said of it."""

from __future__ import annotations

import fcntl
import signal
import socket
import sys
import time
from collections.abc import Callable
from io import TextIOWrapper

import psycopg
from sqlalchemy.exc import ArgumentError

from chassis.database.migrate import migrate
from chassis.database.roles import KINDS, connect, provision, urls
from chassis.embedded.nats import Nats
from chassis.embedded.postgres import Postgres
from chassis.embedded.process import ServerFailed
from deploy.local.plan import HOST, SERVICES, Plan
from deploy.local.program import Program
from deploy.local.secrets import Secrets
from deploy.local.supervisor import Supervisor, stop_leftovers


class SuiteError(Exception):
    """The suite cannot run; the message says why and what to do."""


class Suite:
    """One suite over one state folder."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.secrets = Secrets(plan.state / "secrets", SERVICES)
        self._pids = plan.state / "pids"
        self._logs = plan.state / "logs"
        self._supervisor = Supervisor(self._pids, say)
        self._lock: TextIOWrapper | None = None

    def run(self) -> None:
        """Starts everything, prints where it is, and stays until SIGINT or SIGTERM."""
        began = time.monotonic()
        self._prepare()
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, lambda *_: self._supervisor.stopping.set())
        try:
            self._start_servers()
            self._migrate()
            self._start_programs()
            if not self._supervisor.stopping.is_set():
                print(self.table(time.monotonic() - began), flush=True)
                self._supervisor.watch()
        finally:
            say("stopping")
            self._supervisor.stop()
        say("stopped; the state stays under " + str(self.plan.state))

    def environ(self, service: str) -> dict[str, str]:
        """Answers the environment of a service of this suite."""
        if service not in SERVICES:
            raise SuiteError(f"no service is called {service!r}: they are {', '.join(SERVICES)}")
        if not self.secrets.key_file(service).exists():
            raise SuiteError("there is no suite here yet: start it with `make run` first")
        database = urls(self._admin_url(), service, self._passwords(service), f"wrtn_{service}")
        nats = self.plan.nats_url or self._nats().url
        return self.plan.service_environ(service, self.secrets, database, nats)

    def _prepare(self) -> None:
        for folder in (self.plan.state, self._pids, self._logs):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = (self.plan.state / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SuiteError(f"a suite is running over {self.plan.state} already") from None
        for name in stop_leftovers(self._pids, str(self.plan.state)):
            say(f"stopped {name}, left over from a run that was killed")
        self._refuse_taken_ports()
        self.secrets.prepare()

    def _refuse_taken_ports(self) -> None:
        taken = [name for name, port in self.plan.taken_by_us().items() if not _free(port)]
        if taken:
            said = ", ".join(f"{self.plan.ports[name]} ({name})" for name in taken)
            keys = ", ".join(f"WRTN_{name.upper()}_PORT" for name in taken)
            raise SuiteError(f"these ports are taken: {said}. Stop what listens there, or set {keys}")

    def _start_servers(self) -> None:
        if self.plan.postgres_url is None:
            say("starting PostgreSQL")
            self._supervisor.start("postgres", self._postgres())
        else:
            _reach(self.plan.postgres_url)
        if self.plan.nats_url is None:
            say("starting NATS")
            self._supervisor.start("nats", self._nats())

    def _migrate(self) -> None:
        say("preparing the databases")
        for service in SERVICES:
            migrate(provision(self._admin_url(), service, self._passwords(service)).owner, service)

    def _start_programs(self) -> None:
        programs = {
            "mail": self._mail(),
            **{each: self._service(each) for each in SERVICES},
            "gateway": self._gateway(),
        }
        say("starting " + ", ".join(programs))
        for name, program in programs.items():
            self._supervisor.start(name, program)
        for name, program in programs.items():
            if not self._supervisor.stopping.is_set():
                _named(name, program.wait_ready)

    def _service(self, service: str) -> Program:
        command = [sys.executable, "-m", f"services.{service}.main"]
        ready = self.plan.url(f"{service}_metrics") + "/readyz"
        return self._program(service, command, self.environ(service), ready)

    def _gateway(self) -> Program:
        metrics = str(self.plan.ports["gateway_metrics"])
        environ = {
            "WRTN_GATEWAY_TITLE": "wrtn",
            **self.plan.base_environ(),
            "WRTN_GATEWAY_METRICS_PORT": metrics,
        }
        return self._program(
            "gateway", self.plan.gateway_command(), environ, self.plan.url("gateway") + "/readyz"
        )

    def _mail(self) -> Program:
        places = ["--smtp", self.plan.address("smtp"), "--http", self.plan.address("mail")]
        command = [sys.executable, "-m", "deploy.local.mail", str(self.plan.state / "mail"), *places]
        return self._program("mail", command, self.plan.base_environ(), self.plan.url("mail") + "/")

    def _program(self, name: str, command: list[str], environ: dict[str, str], ready: str) -> Program:
        # The mark tells a later run that a process which outlived us was ours.
        environ = environ | {"WRTN_LOCAL_MARK": str(self.plan.state)}
        return Program(command, environ, self._logs / f"{name}.log", ready)

    def _postgres(self) -> Postgres:
        password = self.secrets.password("postgres")
        return Postgres(self.plan.state / "postgres", port=self.plan.ports["postgres"], password=password)

    def _nats(self) -> Nats:
        token = self.secrets.password("nats")
        return Nats(self.plan.state / "nats", port=self.plan.ports["nats"], token=token)

    def _admin_url(self) -> str:
        return self.plan.postgres_url or self._postgres().url()

    def _passwords(self, service: str) -> dict[str, str]:
        return {kind: self.secrets.password(f"{service}-{kind}") for kind in KINDS}

    def table(self, seconds: float) -> str:
        """Answers the one table of addresses."""
        plan = self.plan
        rows = [
            ("REST", plan.url("gateway"), "docs at /docs, OpenAPI at /openapi.json"),
            ("mail", plan.url("mail"), "all mail is caught here, nothing is sent out"),
            *(
                (f"gRPC {each}", plan.address(each), f"{plan.url(each + '_metrics')}/metrics")
                for each in SERVICES
            ),
            (
                "PostgreSQL",
                "from outside" if plan.postgres_url else plan.address("postgres"),
                "user postgres",
            ),
            ("NATS", "from outside" if plan.nats_url else plan.address("nats"), ""),
            ("logs", str(self._logs), "secrets beside, in secrets/"),
        ]
        lines = [f"  {what:<16} {where:<28} {note}".rstrip() for what, where, note in rows]
        head = f"\nwrtn is up after {seconds:.1f} s. Ctrl-C stops it; its state stays.\n"
        return "\n".join([head, *lines, ""])


def say(line: str) -> None:
    """Prints what happens, with the time of the day."""
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


def _free(port: int) -> bool:
    """Whether nothing listens on a port of this machine."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _reach(postgres_url: str) -> None:
    """Raises SuiteError if the PostgreSQL from outside does not let us in."""
    try:
        connect(postgres_url).close()
    except (psycopg.Error, ArgumentError) as error:
        raise SuiteError(f"WRTN_POSTGRES_URL: {str(error).splitlines()[0]}") from None


def _named(name: str, wait: Callable[[], None]) -> None:
    try:
        wait()
    except ServerFailed as failure:
        raise SuiteError(f"{name} did not come up: {failure}") from None

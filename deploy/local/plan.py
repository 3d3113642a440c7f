"""What runs where on this machine: ports, folders, and the environment of each process."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from chassis.database.roles import Urls
from deploy.local.secrets import Secrets

ROOT = Path(__file__).resolve().parents[2]
HOST = "127.0.0.1"
SERVICES = ("identity", "enterprise", "sessions", "billing", "analytics")
METRICS_OFFSET = 4000
DEFAULT_PORTS = {
    "gateway": 8080,
    "gateway_metrics": 54080,
    "postgres": 55432,
    "nats": 54222,
    "mail": 8025,
    "smtp": 1025,
    **{service: 50051 + place for place, service in enumerate(SERVICES)},
}


class PlanError(Exception):
    """The environment asks for something that cannot be; the message says what."""


@dataclass(frozen=True)
class Plan:
    """Where everything is. `postgres_url` and `nats_url` are set if servers from outside are to be used."""

    state: Path
    ports: Mapping[str, int]
    postgres_url: str | None
    nats_url: str | None
    environ: Mapping[str, str]

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Plan:
        """Reads WRTN_LOCAL_DIR, WRTN_POSTGRES_URL, WRTN_NATS_URL and WRTN_<NAME>_PORT."""
        state = Path(environ.get("WRTN_LOCAL_DIR") or ROOT / ".local")
        return cls(
            state.resolve(),
            ports_of(environ),
            environ.get("WRTN_POSTGRES_URL") or None,
            environ.get("WRTN_NATS_URL") or None,
            environ,
        )

    def address(self, name: str) -> str:
        """Answers the host and port of a process."""
        return f"{HOST}:{self.ports[name]}"

    def url(self, name: str) -> str:
        """Answers the HTTP address of a process."""
        return f"http://{self.address(name)}"

    def taken_by_us(self) -> dict[str, int]:
        """Answers the ports that we shall listen on, by what for."""
        outside = {"postgres"} if self.postgres_url else set[str]()
        outside |= {"nats"} if self.nats_url else set()
        return {name: port for name, port in self.ports.items() if name not in outside}

    def service_environ(self, service: str, secrets: Secrets, database: Urls, nats: str) -> dict[str, str]:
        """Answers the environment of one service. What the user set in their own goes before it."""
        settings = {
            "WRTN_GRPC_ADDRESS": self.address(service),
            "WRTN_METRICS_ADDRESS": self.address(f"{service}_metrics"),
            "WRTN_DATABASE_URL": database.app,
            "WRTN_DATABASE_WORKER_URL": database.worker,
            "WRTN_DATABASE_OWNER_URL": database.owner,
            "WRTN_NATS_URL": nats,
            "WRTN_KEY_FILE": str(secrets.key_file(service)),
            "WRTN_PEER_KEY_FILE": str(secrets.peer_key_file(service)),
            "WRTN_PEER_KEYS_DIR": str(secrets.peer_keys_dir),
            "WRTN_IDENTITY_ADDRESS": self.address("identity"),
            "WRTN_ENTERPRISE_ADDRESS": self.address("enterprise"),
            "WRTN_SESSIONS_ADDRESS": self.address("sessions"),
            "WRTN_BILLING_ADDRESS": self.address("billing"),
            "WRTN_ANALYTICS_ADDRESS": self.address("analytics"),
            "WRTN_BLOB_URL": (self.state / "blobs").as_uri(),
            "WRTN_SMTP_URL": f"smtp://{self.address('smtp')}",
            "WRTN_MAIL_FROM": "wrtn <no-reply@localhost>",
        }
        return {**self.base_environ(), **settings, **self._chosen(settings)}

    def base_environ(self) -> dict[str, str]:
        """Answers the environment common to all processes: the user's, and where the code is."""
        return {**self.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}

    def _chosen(self, settings: Mapping[str, str]) -> dict[str, str]:
        """What one process alone may have stays ours; where mails and files go may well be the user's."""
        free = {"WRTN_SMTP_URL", "WRTN_MAIL_FROM", "WRTN_BLOB_URL"}
        return {key: self.environ[key] for key in settings if key in free and self.environ.get(key)}

    def gateway_command(self) -> list[str]:
        """Answers the gateway's command line: ours is started like anybody's."""
        backends = [
            part for each in SERVICES for part in ("--backend", f"wrtn.{each}.v1={self.address(each)}")
        ]
        descriptors = ["--descriptor-set", str(ROOT / "wrtn" / "descriptors.binpb")]
        place = ["--host", HOST, "--port", str(self.ports["gateway"])]
        return [sys.executable, "-m", "gateway", *descriptors, *backends, *place]


def ports_of(environ: Mapping[str, str]) -> dict[str, int]:
    """Answers the port of each process; WRTN_<NAME>_PORT overrides the default."""
    ports = {name: _port(environ, name, default) for name, default in DEFAULT_PORTS.items()}
    for service in SERVICES:
        name = f"{service}_metrics"
        ports[name] = _port(environ, name, ports[service] + METRICS_OFFSET)
    return ports


def _port(environ: Mapping[str, str], name: str, default: int) -> int:
    key = f"WRTN_{name.upper()}_PORT"
    text = environ.get(key, "")
    if not text:
        return default
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise PlanError(f"{key} must be a port number from 1 to 65535")
    return int(text)

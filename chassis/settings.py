"""Settings: environment variables `WRTN_*`, read once in `main` into a frozen dataclass.

A field `nats_url` is read from `WRTN_NATS_URL`. A field with a default may be left out; an empty
variable counts as left out. Fields are `str`, `int`, `float`, `bool` (true/false/1/0), `Path`, or one
of these or None.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from pathlib import Path
from types import UnionType
from typing import Any, ClassVar, Protocol, TypeVar, Union, get_args, get_origin, get_type_hints

PREFIX = "WRTN_"


class _Dataclass(Protocol):
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


S = TypeVar("S", bound=_Dataclass)


class SettingsError(Exception):
    """Settings are missing or wrong. The message names every one of them, never a value."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def _boolean(text: str) -> bool:
    return {"true": True, "1": True, "false": False, "0": False}[text.lower()]


_KINDS: dict[type, tuple[str, Callable[[str], object]]] = {
    str: ("a text", str),
    int: ("a whole number", int),
    float: ("a number", float),
    bool: ("true or false", _boolean),
    Path: ("a path", Path),
}


def read(cls: type[S], environ: Mapping[str, str]) -> S:
    """Builds the settings; raises SettingsError that names every missing or wrong key."""
    hints = get_type_hints(cls)
    values: dict[str, object] = {}
    problems: list[str] = []
    for each in fields(cls):
        key = PREFIX + each.name.upper()
        text = environ.get(key, "")
        if text:
            what, convert = _KINDS[_plain(hints[each.name])]
            try:
                values[each.name] = convert(text)
            except (ValueError, KeyError):
                problems.append(f"{key} is not {what}")
        elif each.default is MISSING and each.default_factory is MISSING:
            problems.append(f"{key} is not set")
    if problems:
        raise SettingsError(problems)
    return cls(**values)


def load(cls: type[S]) -> S:
    """Reads the process's own environment; ends the process with a sentence if something is missing."""
    try:
        return read(cls, os.environ)
    except SettingsError as error:
        raise SystemExit(f"refusing to start: {error}") from None


def _plain(hint: Any) -> type:
    """Strips `| None` from a field's type."""
    if get_origin(hint) in (Union, UnionType):
        return next(kind for kind in get_args(hint) if kind is not type(None))  # type: ignore[no-any-return]
    return hint  # type: ignore[no-any-return]


@dataclass(frozen=True, kw_only=True)
class ServiceSettings:
    """What every service needs. A service adds its own fields in a subclass."""

    grpc_address: str
    """Where gRPC listens, "host:port"; port 0 takes a free one."""
    metrics_address: str
    """Where /metrics, /healthz and /readyz are served over HTTP, "host:port"."""
    database_url: str = field(repr=False)
    """The app role's connection, as postgresql+psycopg://..."""
    database_worker_url: str = field(repr=False)
    """The worker role's connection: relay and jobs."""
    nats_url: str = field(repr=False)
    key_file: Path
    """The key-encryption keys: 32 bytes of base64 a line, the first one wraps."""
    peer_key_file: Path
    """This service's own Ed25519 private key, PEM."""
    peer_keys_dir: Path
    """The public keys of the peers, `<service>.pem`."""
    identity_address: str
    enterprise_address: str
    trusted_gateways: str = "127.0.0.0/8,::1/128"
    """The networks of our gateways, joined by commas: what calls from there say of the client is believed."""
    production: bool = False
    """Turns gRPC reflection off."""
    log_level: str = "INFO"
    otlp_endpoint: str | None = None
    """Where OpenTelemetry traces go by gRPC; without it none are exported."""
    pool_size: int = 10
    drain_seconds: float = 10
    """How long running handlers may take to end after SIGTERM."""
    max_connection_age_seconds: float | None = None
    """Closes connections after this long, so that streams spread over new replicas."""

"""Reads the gateway's settings: flags first, then `WRTN_GATEWAY_*`, then the defaults written here."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, fields
from pathlib import Path
from typing import Any

PREFIX = "WRTN_GATEWAY_"


class SettingsError(Exception):
    """A setting is missing or unusable; the text names its key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that can be set. The key of a field is `WRTN_GATEWAY_` and its name in capitals."""

    descriptor_set: Path
    """The FileDescriptorSet, with imports and source info, that names what is served."""
    backends: tuple[tuple[str, str], ...]
    """Pairs of a proto package or service and its `host:port`; the longest matching name wins."""
    host: str = "127.0.0.1"
    port: int = 8080
    metrics_port: int = 54080
    """Prometheus is served here, apart from the public port. 0 turns it off."""
    title: str = "API"
    docs: bool = True
    """Whether `/openapi.json` and `/docs` are served."""
    emit_defaults: bool = True
    """Whether fields that hold their zero value are written too, so that clients find every field. Canonical
    ProtoJSON leaves them out, and allows both."""
    cors_origins: tuple[str, ...] = ()
    hsts: bool = False
    """Whether Strict-Transport-Security is sent; only for a gateway that is reached by HTTPS alone."""
    trusted_proxies: int = 0
    """How many proxies in front append to X-Forwarded-For; 0 means the peer itself is the client."""
    max_body_bytes: int = 4 * 1024 * 1024
    """The longest JSON body, and the longest message that goes to a backend."""
    max_upload_bytes: int = 1024 * 1024 * 1024
    """The longest raw body of a method that takes a stream."""
    timeout_seconds: float = 15.0
    """The deadline of a unary call whose client names none."""
    max_timeout_seconds: float = 120.0
    """The longest deadline that a client may ask for."""
    drain_seconds: float = 10.0
    """How long running requests may go on after SIGTERM."""
    rate_read: str = "3000/second"
    """The limit of one caller on each RPC that reads, in the notation of `limits`; empty turns it off."""
    rate_write: str = "1500/second"
    """The same on each RPC that writes."""
    rate_address: str = "6000/second"
    """The limit of one client address over all its callers and RPCs: anybody can invent bearer tokens."""
    rate_storage: str = "memory://"
    """Where counts are kept: `memory://` for one process, `redis://host:port` or `rediss://` for several."""
    access_log: bool = False
    """Whether successful requests are logged too; failures always are."""


def read(arguments: Sequence[str], environ: Mapping[str, str]) -> Settings:
    """Reads the settings. Raises SettingsError that names what is wrong."""
    given: dict[str, Any] = {}
    for field in fields(Settings):
        if text := environ.get(PREFIX + field.name.upper()):
            given[field.name] = _parse(PREFIX + field.name.upper(), field, text)
    flags = {key: value for key, value in vars(_flags().parse_args(arguments)).items() if value is not None}
    if pairs := flags.pop("backend", None):
        given["backends"] = tuple(_backend("--backend", pair) for pair in pairs)
    given.update(flags)
    for field in fields(Settings):
        if field.default is MISSING and field.name not in given:
            raise SettingsError(f"{PREFIX}{field.name.upper()} is not set, and no flag gives it")
    return Settings(**given)


def _flags() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("gateway", description="Serves annotated gRPC services as REST.")
    parser.add_argument("--descriptor-set", type=Path, help="FileDescriptorSet with imports and source info")
    parser.add_argument(
        "--backend", action="append", metavar="NAME=HOST:PORT", help="package or service, address"
    )
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    parser.add_argument("--metrics-port", type=int)
    parser.add_argument("--title")
    return parser


def _backend(key: str, pair: str) -> tuple[str, str]:
    name, equals, address = pair.strip().partition("=")
    if not (name and equals and ":" in address):
        raise SettingsError(f"{key}: {pair!r} is not of the form name=host:port")
    return name, address


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _flag(text: str) -> bool:
    if text.lower() not in ("0", "1", "true", "false"):
        raise ValueError("not a yes or no: write 1 or 0")
    return text.lower() in ("1", "true")


_PARSERS: Mapping[str, Callable[[str], Any]] = {
    "int": int,
    "float": float,
    "bool": _flag,
    "str": str,
    "Path": Path,
    "tuple[str, ...]": _words,
}


def _parse(key: str, field: Field[Any], text: str) -> Any:
    if field.name == "backends":
        return tuple(_backend(key, pair) for pair in _words(text))
    try:
        return _PARSERS[str(field.type)](text)
    except ValueError as error:
        raise SettingsError(f"{key}: {text!r} is no {field.type} ({error})") from error

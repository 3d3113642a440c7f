"""The OpenID providers that who runs the suite has configured, out of a TOML file:

redirect_uris = ["https://chat.example.com/sign-in/callback"]

[google]
client_id = "..."
client_secret = "..."

[company]
display_name = "The company"
issuer = "https://id.example.com"
client_id = "..."
client_secret_file = "/run/secrets/company"
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from chassis.settings import SettingsError

_PRESETS = {
    "google": ("Google", "https://accounts.google.com"),
    # Its issuer names the tenant of who signs in, which is not known before.
    "microsoft": ("Microsoft", "https://login.microsoftonline.com/common/v2.0"),
}
_KEYS = {"display_name", "issuer", "client_id", "client_secret", "client_secret_file"}
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_SETTING = "WRTN_OIDC_PROVIDERS_FILE"


@dataclass(frozen=True, slots=True)
class Provider:
    """An OpenID provider: one that is configured for everybody, or the connection of an enterprise."""

    id: str
    """The name in the file; of an enterprise's, the connection's id."""
    display_name: str
    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    tenant_id: UUID | None = None
    """The enterprise whose it is."""
    link_employees: bool = False
    """Whether signing in links the identity to an employee of the enterprise."""

    @property
    def realm(self) -> str:
        """Names what keeps its subjects apart: an enterprise's provider speaks for itself alone."""
        return self.id if self.tenant_id is not None else ""

    @property
    def connection_id(self) -> UUID | None:
        """The connection, if it is an enterprise's."""
        return UUID(self.id) if self.tenant_id is not None else None


@dataclass(frozen=True, slots=True)
class Providers:
    """What is configured."""

    by_id: Mapping[str, Provider] = field(default_factory=dict)
    redirect_uris: tuple[str, ...] = ()


def read(path: Path | None, public_url: str | None) -> Providers:
    """Reads the file; raises SettingsError that names what is wrong, and never a secret.

    Without redirect URIs of its own, people come back to the page `/sign-in/callback` of `public_url`.
    """
    found: dict[str, Any] = {}
    if path is not None:
        try:
            found = tomllib.loads(path.read_text())
        except (OSError, ValueError) as error:
            raise SettingsError([f"{_SETTING}: {path.name} cannot be read as TOML"]) from error
    uris = found.pop("redirect_uris", None)
    if uris is None:
        uris = [f"{public_url.rstrip('/')}/sign-in/callback"] if public_url else []
    return Providers({name: _provider(name, given) for name, given in found.items()}, tuple(uris))


def _provider(name: str, given: object) -> Provider:
    if not isinstance(given, dict) or given.keys() - _KEYS:
        raise SettingsError([f"{_SETTING}: [{name}] is no provider, or has keys that none has"])
    display_name, issuer = _PRESETS.get(name, (name, ""))
    issuer = str(given.get("issuer", issuer)).rstrip("/")
    if not _is_secure(issuer):
        raise SettingsError([f"{_SETTING}: [{name}] has no issuer that is https"])
    secret = given.get("client_secret") or _secret_of(name, given.get("client_secret_file"))
    if not given.get("client_id") or not secret:
        raise SettingsError([f"{_SETTING}: [{name}] has no client_id or no client_secret"])
    shown = str(given.get("display_name", display_name))
    return Provider(name, shown, issuer, str(given["client_id"]), str(secret))


def _is_secure(issuer: str) -> bool:
    """Says whether nobody between can read what is sent: plain HTTP is for this very machine alone."""
    parsed = urlsplit(issuer)
    if parsed.query or parsed.fragment or not parsed.hostname:
        return False
    return parsed.scheme == "https" or (parsed.scheme == "http" and parsed.hostname in _LOOPBACK)


def _secret_of(name: str, file: object) -> str:
    try:
        return Path(str(file)).read_text().strip() if file else ""
    except OSError as error:
        raise SettingsError([f"{_SETTING}: the client_secret_file of [{name}] cannot be read"]) from error

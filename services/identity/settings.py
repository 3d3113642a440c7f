"""What identity needs besides what every service does."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from chassis.settings import ServiceSettings, SettingsError
from services.identity.factors.passkeys import Party
from services.identity.mail.smtp import MailServer

LOCAL = "http://localhost:8080"
"""The origin of the local gateway."""


def origin_of(url: str) -> str:
    """Answers the origin of a URL, as browsers write it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


@dataclass(frozen=True, kw_only=True)
class IdentitySettings(ServiceSettings):
    """The settings of the service."""

    smtp_url: str = field(repr=False)
    """The server that mails leave through: smtp://user:password@host:587, or smtps://."""
    mail_from: str
    """The From address of every mail."""
    blob_url: str
    """Where archives are kept: file:///folder, s3://bucket/path, or another URL that obstore knows."""
    sessions_address: str
    billing_address: str
    analytics_address: str
    """The services that hold data of members, besides enterprise."""
    public_url: str | None = None
    """Where people find the pages of your product; links in mails lead there.

    Without it mails carry codes alone.
    """

    passkey_origins: str = ""
    """The origins of the pages that use passkeys, joined by commas; by default that of `public_url`, and
    without one the local gateway's, http://localhost:8080.
    """
    passkey_domain: str = ""
    """The domain for which passkeys are made (the RP id), equal to or above those of the origins; by default
    that of the first one. To change it makes every passkey useless.
    """

    def passkey_party(self) -> Party:
        """Answers who asks for passkeys; raises SettingsError if origins and domain do not go together."""
        given = self.passkey_origins or origin_of(self.public_url or LOCAL)
        origins = tuple(each.strip() for each in given.split(",") if each.strip())
        hosts = [urlsplit(each).hostname or "" for each in origins]
        domain = self.passkey_domain or (hosts[0] if hosts else "")
        wrong = [each for each in origins if each != origin_of(each)]
        if wrong or not all(host == domain or host.endswith(f".{domain}") for host in hosts) or not domain:
            raise SettingsError(
                ["WRTN_PASSKEY_ORIGINS are no origins (https://chat.example.com) within WRTN_PASSKEY_DOMAIN"]
            )
        return Party(domain, origins)

    oidc_providers_file: Path | None = None
    """The OpenID providers that anybody may sign in by, TOML: see `federation/oidc/providers.py`."""
    outbound_inside: bool = False
    """Lets the single sign-on of enterprises reach addresses inside, by plain HTTP too: local runs, tests."""

    def mail_server(self) -> MailServer:
        """Answers the mail server; raises SettingsError if the URL names none."""
        try:
            return MailServer.of(self.smtp_url)
        except ValueError as error:
            raise SettingsError([f"WRTN_SMTP_URL: {error}"]) from error


@dataclass(frozen=True, kw_only=True)
class AdminSettings:
    """The settings of the command line: the same variables, as far as it needs them."""

    database_url: str = field(repr=False)
    key_file: Path
    blob_url: str | None = None
    """Where the journal of erasures is; needed by apply-erasures alone."""

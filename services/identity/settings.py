"""What identity needs besides what every service does."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from chassis.settings import ServiceSettings, SettingsError
from services.identity.smtp import MailServer


@dataclass(frozen=True, kw_only=True)
class IdentitySettings(ServiceSettings):
    """The settings of the service."""

    smtp_url: str = field(repr=False)
    """The server that mails leave through: smtp://user:password@host:587, or smtps://."""
    mail_from: str
    """The From address of every mail."""
    public_url: str | None = None
    """Where people find the pages of your product; links in mails lead there.

    Without it mails carry codes alone.
    """

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

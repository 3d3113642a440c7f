"""Settings are read whole, and what is missing or wrong is named."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from chassis.settings import ServiceSettings, SettingsError, load, read


@dataclass(frozen=True)
class Mail:
    """Settings of every kind of field."""

    smtp_host: str
    smtp_port: int
    folder: Path
    patience: float = 1.5
    tls: bool = False
    sender: str | None = None


GOOD = {"WRTN_SMTP_HOST": "mail.example", "WRTN_SMTP_PORT": "25", "WRTN_FOLDER": "/tmp/mail"}


def test_reads_each_kind_of_field() -> None:
    more = {"WRTN_PATIENCE": "0.5", "WRTN_TLS": "true", "WRTN_SENDER": "us"}
    assert read(Mail, GOOD | more) == Mail("mail.example", 25, Path("/tmp/mail"), 0.5, True, "us")


def test_defaults_stand_where_nothing_is_set() -> None:
    assert read(Mail, GOOD | {"WRTN_PATIENCE": ""}) == Mail("mail.example", 25, Path("/tmp/mail"))


def test_every_problem_is_named_and_no_value_is_shown() -> None:
    with pytest.raises(SettingsError) as caught:
        read(Mail, {"WRTN_SMTP_HOST": "", "WRTN_SMTP_PORT": "hunter2", "WRTN_TLS": "perhaps"})
    said = str(caught.value)
    assert all(key in said for key in ("WRTN_SMTP_HOST", "WRTN_SMTP_PORT", "WRTN_FOLDER", "WRTN_TLS"))
    assert "hunter2" not in said
    assert len(caught.value.problems) == 4


def test_a_process_without_its_settings_refuses_to_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WRTN_SMTP_HOST", raising=False)
    with pytest.raises(SystemExit, match="refusing to start: WRTN_SMTP_HOST is not set"):
        load(Mail)


def test_secrets_in_addresses_are_not_shown() -> None:
    settings = ServiceSettings(
        grpc_address="127.0.0.1:0",
        metrics_address="127.0.0.1:0",
        database_url="postgresql+psycopg://app:hunter2@db/wrtn",
        database_worker_url="postgresql+psycopg://worker:hunter2@db/wrtn",
        nats_url="nats://user:hunter2@nats",
        key_file=Path("key"),
        peer_key_file=Path("peer"),
        peer_keys_dir=Path("peers"),
        identity_address="identity:50051",
        enterprise_address="enterprise:50052",
    )
    assert "hunter2" not in repr(settings)

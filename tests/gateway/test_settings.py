"""Settings come from flags, then the environment, then defaults; what is wrong is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.app import opened
from gateway.limiting import Limiter
from gateway.schema import Schema, SchemaError
from gateway.settings import Settings, SettingsError, read

FLAGS = ["--descriptor-set", "a.binpb", "--backend", "a.v1=h:1", "--backend", "b.v1.S=h:2"]


def test_flags_win_over_the_environment_and_it_over_defaults() -> None:
    settings = read([*FLAGS, "--port", "1"], {"WRTN_GATEWAY_PORT": "2", "WRTN_GATEWAY_HOST": "0.0.0.0"})
    assert (settings.port, settings.host, settings.metrics_port) == (1, "0.0.0.0", 54080)
    assert settings.backends == (("a.v1", "h:1"), ("b.v1.S", "h:2"))


def test_everything_can_come_from_the_environment() -> None:
    environ = {
        "WRTN_GATEWAY_DESCRIPTOR_SET": "a.binpb",
        "WRTN_GATEWAY_BACKENDS": "a.v1=h:1, b.v1=h:2",
        "WRTN_GATEWAY_CORS_ORIGINS": "https://a,https://b",
        "WRTN_GATEWAY_DOCS": "false",
        "WRTN_GATEWAY_TIMEOUT_SECONDS": "2.5",
    }
    settings = read([], environ)
    assert settings.backends == (("a.v1", "h:1"), ("b.v1", "h:2"))
    assert (settings.cors_origins, settings.docs, settings.timeout_seconds) == (
        ("https://a", "https://b"),
        False,
        2.5,
    )


@pytest.mark.parametrize(
    ("flags", "environ", "names"),
    [
        ([], {}, "WRTN_GATEWAY_DESCRIPTOR_SET"),
        (["--descriptor-set", "a"], {}, "WRTN_GATEWAY_BACKENDS"),
        (["--descriptor-set", "a", "--backend", "a.v1"], {}, "--backend"),
        (FLAGS, {"WRTN_GATEWAY_PORT": "many"}, "WRTN_GATEWAY_PORT"),
        (FLAGS, {"WRTN_GATEWAY_DOCS": "maybe"}, "WRTN_GATEWAY_DOCS"),
    ],
)
def test_a_wrong_setting_is_named(flags: list[str], environ: dict[str, str], names: str) -> None:
    with pytest.raises(SettingsError, match=names):
        read(flags, environ)


@pytest.mark.parametrize(
    "changes", [{"rate_read": "often"}, {"rate_storage": "nothing://x"}, {"rate_storage": "redis://h:often"}]
)
async def test_a_wrong_limit_is_named(changes: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="WRTN_GATEWAY_RATE"):
        Limiter(Settings(descriptor_set=Path(), backends=(), **changes))  # type: ignore[arg-type]


async def test_a_descriptor_set_that_cannot_be_served_is_refused(
    descriptor_set: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.binpb"
    broken.write_bytes(b"nonsense")
    for path, backend in (
        (broken, "library.v1"),
        (tmp_path / "absent", "library.v1"),
        (descriptor_set, "other.v1"),
    ):
        with pytest.raises(SchemaError):
            async with opened(Settings(descriptor_set=path, backends=((backend, "h:1"),))):
                pass


def test_a_set_without_its_imports_is_refused(descriptor_set: Path) -> None:
    whole = descriptor_set.read_bytes()
    at = whole.rindex(b"\x0a\x0dlibrary.proto")
    with pytest.raises(SchemaError):
        Schema(whole[at - 5 :])

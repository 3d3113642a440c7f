"""The benches start the services with settings of their own."""

from __future__ import annotations

from pathlib import Path

from chassis.database.roles import Urls
from services.billing.settings import BillingSettings
from services.sessions.settings import SessionsSettings
from tests.bench.ours import keyed


def test_each_bench_has_settings_of_its_service(tmp_path: Path) -> None:
    urls = Urls("owner", "app", "worker")
    blobs = (tmp_path / "blobs").as_uri()
    sessions = keyed(SessionsSettings, "sessions", urls, "nats://", tmp_path, blob_url=blobs)
    billing = keyed(BillingSettings, "billing", urls, "nats://", tmp_path)
    assert sessions.blob_url == blobs
    assert sessions.grpc_address == billing.grpc_address == "127.0.0.1:0"
    assert billing.sessions_address == "127.0.0.1:1"

"""The wire form of events: what goes out comes back, and what is none of ours is said to be so."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from chassis.events import envelope, outbox
from tests.chassis.eventing import NEW
from wrtn.identity.v1.events_pb2 import AccountOpened

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def sent(epoch: str | None = None) -> tuple[outbox.Row, dict[str, str]]:
    row = outbox.row_of(
        AccountOpened(account_id="a"), event_id=NEW(), aggregate_id=NEW(), version=3, tenant_id=NEW()
    )
    return row, envelope.headers(
        row.id, row.tenant_id, row.subject, row.aggregate_id, row.aggregate_version, "00-1-2-01", NOW, epoch
    )


def test_an_event_comes_back_as_it_was_sent() -> None:
    row, headers = sent()
    event = envelope.decode(AccountOpened, headers, row.payload)
    assert (event.id, event.tenant_id, event.aggregate_id) == (row.id, row.tenant_id, row.aggregate_id)
    assert (event.version, event.time, event.message.account_id) == (3, NOW, "a")


def test_the_headers_are_those_of_cloudevents_and_hold_no_content() -> None:
    row, headers = sent()
    assert headers == {
        "ce-id": str(row.id),
        "ce-source": "wrtn.identity",
        "ce-type": "wrtn.identity.v1.account.opened",
        "ce-time": "2026-01-02T03:04:05.678901+00:00",
        "ce-subject": str(row.aggregate_id),
        "ce-specversion": "1.0",
        "ce-wrtnversion": "3",
        "ce-wrtntenant": str(row.tenant_id),
        "traceparent": "00-1-2-01",
        "Nats-Msg-Id": str(row.id),
    }


def test_a_resend_has_another_message_id_and_the_same_event_id() -> None:
    row, headers = sent("e1")
    assert headers["Nats-Msg-Id"] == f"{row.id}.e1"
    assert headers["ce-id"] == str(row.id)


@pytest.mark.parametrize("missing", ["ce-id", "ce-time", "ce-subject", "ce-wrtnversion"])
def test_a_missing_or_garbled_header_is_undecodable(missing: str) -> None:
    row, headers = sent()
    with pytest.raises(envelope.Undecodable):
        envelope.decode(AccountOpened, headers | {missing: "?"}, row.payload)
    del headers[missing]
    with pytest.raises(envelope.Undecodable, match=missing):
        envelope.decode(AccountOpened, headers, row.payload)


def test_a_garbled_payload_is_undecodable_and_not_quoted() -> None:
    _, headers = sent()
    with pytest.raises(envelope.Undecodable) as caught:
        envelope.decode(AccountOpened, headers, b"\xffsecret")
    assert "secret" not in str(caught.value)


def test_a_message_that_declares_no_subject_is_no_event() -> None:
    with pytest.raises(TypeError, match=r"google\.protobuf\.Timestamp"):
        outbox.row_of(Timestamp(), event_id=NEW(), aggregate_id=NEW())


def test_an_event_too_large_for_ids_is_refused() -> None:
    with pytest.raises(ValueError, match="AccountOpened"):
        outbox.row_of(AccountOpened(account_id="x" * 70_000), event_id=NEW(), aggregate_id=NEW())

"""Rows to protos."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from chassis import timestamps
from services.sessions.models import Connection, Session
from services.sessions.shapes import SHAPES, Shown
from services.sessions.store import HistoryRow
from services.sessions.usage import Counts, Units, units_shown, usage_of
from wrtn.sessions.v1 import chat_sessions_pb2 as pb
from wrtn.sessions.v1.token_usage_pb2 import TokenUsage


@lru_cache(maxsize=64)
def timestamp(moment: datetime) -> Timestamp:
    """Answers the proto of a moment, to be read only: all acks of a group commit have the same one."""
    return timestamps.of(moment)


def session(row: Session, title: str) -> Shown:
    """Answers the proto of a session with its decrypted title."""
    procedure: dict[str, Any] = {}
    if row.procedure_id is not None:
        procedure = {"procedure_id": str(row.procedure_id), "procedure_version": row.procedure_version}
    return SHAPES[row.kind].shown(
        id=str(row.id),
        account_id=str(row.account_id),
        opener_member_id=str(row.opener_member_id),
        model=row.model,
        team_id=str(row.team_id) if row.team_id is not None else "",
        title=title,
        create_time=timestamp(row.create_time),
        update_time=timestamp(row.update_time),
        last_activity_time=timestamp(row.last_activity_time),
        favourite=row.favourite,
        delete_time=timestamp(row.delete_time) if row.delete_time is not None else None,
        **procedure,
    )


def foreign_session(row: Session) -> Shown:
    """Answers what others than the holder see of a session in a list."""
    shown = session(row, "")
    shown.favourite = False
    return shown


def connection(row: Connection, client: str, address: str) -> pb.Connection:
    """Answers the proto of a connection with its decrypted origin."""
    ended = row.disconnect_time
    return pb.Connection(
        id=str(row.id),
        chat_session_id=str(row.chat_session_id),
        account_id=str(row.account_id),
        member_id=str(row.member_id),
        client=client,
        address=address,
        connect_time=timestamp(row.connect_time),
        disconnect_time=timestamp(ended) if ended is not None else None,
    )


def history(row: HistoryRow, body: str, file_ids: Sequence[str] = ()) -> pb.History:
    """Answers the proto of a history with its decrypted body and what is attached."""
    return pb.History(
        id=str(row.id),
        sequence=row.sequence,
        connection_id=str(row.connection_id),
        type=row.type,
        body=body,
        create_time=timestamp(row.create_time),
        token_usage=usage_of(_counts(row)) if row.input_total is not None else None,
        file_ids=file_ids,
        units=units_shown(_units(row)) if row.requests is not None else None,
    )


def token_usage(row: Session) -> TokenUsage:
    """Answers the usage of a session, every part set."""
    return usage_of(_counts(row))


def _units(row: HistoryRow) -> Units:
    return Units(*(getattr(row, name) for name in Units._fields))


def _counts(row: Session | HistoryRow) -> Counts:
    return Counts(*(getattr(row, name) for name in Counts._fields))

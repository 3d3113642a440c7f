"""What is sent to be recorded."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from typing import TypedDict

from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message

from wrtn.sessions.v1.recorder_pb2 import Frame
from wrtn.sessions.v1.token_usage_pb2 import TokenUsage, UsageUnits


class Verbatim(str):
    """A body that is JSON already, and is sent to the letter."""

    __slots__ = ()


class Extras(TypedDict, total=False):
    """What else is known of a history."""

    frame_id: str
    """The id, a UUID; chosen here if not given. The same id with the same body is stored once."""
    usage: TokenUsage | None
    """The tokens that it cost."""
    units: UsageUnits | None
    """What it used besides, of a model that is priced so: images, seconds, requests, tokens written to a
    cache."""
    model: str
    """The model that used them, if not the session's."""
    file_ids: Sequence[str]
    """The ids of the session's files that are attached, in order."""
    reservation_id: str
    """The reservation of billing's AuthorizeSpend that the usage settles."""


def frame_of(kind: str, body: object, extras: Extras) -> Frame:
    """Answers the frame of a history."""
    return Frame(
        id=extras.get("frame_id") or str(uuid.uuid4()),
        type=kind,
        body=_json(body),
        token_usage=extras.get("usage"),
        units=extras.get("units"),
        model=extras.get("model", ""),
        file_ids=extras.get("file_ids", ()),
        reservation_id=extras.get("reservation_id", ""),
    )


def _json(body: object) -> str:
    if isinstance(body, Verbatim):
        return body
    if isinstance(body, Message):
        return MessageToJson(body, indent=None, ensure_ascii=False)
    return json.dumps(body, ensure_ascii=False)

"""A transcript as one JSON document, written as it is read."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from services.sessions.transcripts.reading import Transcript
from wrtn.sessions.v1 import chat_sessions_pb2 as pb


async def write(transcript: Transcript) -> AsyncIterator[bytes]:
    """Yields the document; bodies stand in it to the letter."""
    yield f'{{"{transcript.field}":'.encode() + _json(transcript.session) + b',"histories":['
    between = b"\n"
    async for history in transcript.histories():
        yield between + _history(history)
        between = b",\n"
    yield b"\n]}\n"


def _history(history: pb.History) -> bytes:
    body = history.body
    history.ClearField("body")
    return _json(history)[:-1] + b',"body":' + body.encode() + b"}"


def _json(message: Message) -> bytes:
    return json.dumps(MessageToDict(message), ensure_ascii=False, separators=(",", ":")).encode()

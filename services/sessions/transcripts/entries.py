"""Histories as people read them. The documented types are known; of any other the JSON is shown.

The types are not enforced: what is not as documented is shown as JSON too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from wrtn.sessions.v1 import chat_sessions_pb2 as pb


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of text: prose, or code that is set to the letter."""

    text: str
    code: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that was said or done: a heading, and what it is."""

    heading: str
    passages: tuple[Passage, ...]


def entry(history: pb.History) -> Entry:
    """Answers a history as it is shown."""
    moment = f"{history.create_time.ToDatetime():%Y-%m-%d %H:%M:%S} UTC"
    name, read = _TYPES.get(history.type, (history.type, None))
    passages: tuple[Passage, ...] = ()
    try:
        body = json.loads(history.body)
        if read is not None and isinstance(body, dict):
            passages = tuple(read(body))
    except (ValueError, RecursionError, TypeError, AttributeError):
        passages = ()
    return Entry(f"{name} · {moment}", passages or (Passage(history.body, code=True),))


def _plain(body: Mapping[str, Any]) -> Iterator[Passage]:
    if body.get("text"):
        yield Passage(str(body["text"]))


def _user(body: Mapping[str, Any]) -> Iterator[Passage]:
    yield from _plain(body)
    for part in body.get("parts") or ():
        for kind, value in part.items():
            yield Passage(str(value)) if kind == "text" else Passage(_media(kind, value))


def _media(kind: str, value: Mapping[str, Any]) -> str:
    where = value.get("url") or value.get("file_id") or value.get("fileId") or ""
    name = value.get("display_name") or value.get("displayName") or where
    return f"[{kind}: {name}]"


def _assistant(body: Mapping[str, Any]) -> Iterator[Passage]:
    if body.get("reasoning"):
        yield Passage(f"(Reasoning) {body['reasoning']}")
    yield from _plain(body)
    if body.get("refusal"):
        yield Passage(f"(Refused) {body['refusal']}")


def _function(body: Mapping[str, Any]) -> Iterator[Passage]:
    name = ".".join(filter(None, (body.get("application"), body.get("function"))))
    yield Passage(f"{name}({json.dumps(body.get('arguments'), ensure_ascii=False)})", code=True)
    yield from _result(body)


def _result(body: Mapping[str, Any]) -> Iterator[Passage]:
    if body.get("success"):
        yield Passage(json.dumps(body.get("value"), ensure_ascii=False), code=True)
    elif body.get("error"):
        yield Passage(f"(Failed) {body['error']}")


def _procedure(body: Mapping[str, Any]) -> Iterator[Passage]:
    yield Passage(json.dumps(body.get("arguments"), ensure_ascii=False), code=True)
    yield from _result(body)


_TYPES: Mapping[str, tuple[str, Callable[[Mapping[str, Any]], Iterator[Passage]]]] = {
    "system_message": ("System", _plain),
    "user_message": ("User", _user),
    "assistant_message": ("Assistant", _assistant),
    "function_call": ("Function", _function),
    "procedure_call": ("Procedure", _procedure),
}

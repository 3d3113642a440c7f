"""The input: conversations and a trace of token counts, turned into the frames a websocket server sends."""

from __future__ import annotations

import csv
import itertools
import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Usage:
    """The tokens of one model call."""

    input: int
    output: int


@dataclass(frozen=True, slots=True)
class Frame:
    """One history to record; its id is the same at every try, so that a resent frame is known."""

    id: str
    type: str
    body: str
    usage: Usage | None


@dataclass(frozen=True, slots=True)
class Conversation:
    """One session to record: `number` counts through all repetitions."""

    number: int
    title: str
    frames: tuple[Frame, ...]


def conversations(path: Path, trace: Path, repeat: int, run: uuid.UUID) -> list[Conversation]:
    """Reads the conversations `repeat` times over, with token counts taken from the trace in order, around.

    Each line of the file is an object with `messages` as chat completion APIs have them (role, content,
    tool_calls). Raises ValueError that names the file and line of what cannot be read.
    """
    scripts = list(_scripts(path))
    counts = itertools.cycle(_counts(trace))
    found = []
    for number in range(repeat * len(scripts)):
        messages = scripts[number % len(scripts)]
        frames = tuple(_frames(messages, counts, run, number))
        found.append(Conversation(number, f"Conversation {number + 1}", frames))
    return found


def _scripts(path: Path) -> Iterator[list[dict[str, Any]]]:
    for number, line in enumerate(path.read_text().splitlines(), 1):
        try:
            yield json.loads(line)["messages"]
        except (ValueError, KeyError, TypeError) as problem:
            raise ValueError(f"{path}:{number} is no conversation: {problem!r}") from problem


def _counts(path: Path) -> list[Usage]:
    with path.open(newline="") as file:
        rows = [Usage(int(row["ContextTokens"]), int(row["GeneratedTokens"])) for row in csv.DictReader(file)]
    if not rows:
        raise ValueError(f"{path} has no rows")
    return rows


def _frames(
    messages: list[dict[str, Any]], counts: Iterator[Usage], run: uuid.UUID, number: int
) -> Iterator[Frame]:
    """A message becomes a frame of its role; each answer of a tool becomes, with its call, a function call.

    Every message of the assistant was one call of the model: its tokens ride on the message's first frame.
    """
    calls: dict[str, dict[str, Any]] = {}
    owed: Usage | None = None
    for position, message in enumerate(messages):
        frame_id = str(uuid.uuid5(run, f"{number}/{position}"))
        role, content = message["role"], message.get("content")
        if role == "assistant":
            owed = next(counts)
            calls |= {call["id"]: call["function"] for call in message.get("tool_calls") or []}
            if content is None and message.get("tool_calls"):
                continue
        if role == "tool":
            body = _function_call(calls.pop(message["tool_call_id"]), content)
            yield Frame(frame_id, "function_call", body, owed)
        else:
            yield Frame(frame_id, f"{role}_message", json.dumps({"text": content}), owed)
        owed = None
    for position, call in enumerate(calls.values(), len(messages)):
        frame_id = str(uuid.uuid5(run, f"{number}/{position}"))
        yield Frame(frame_id, "function_call", _function_call(call, "Error: no answer"), owed)
        owed = None


def _function_call(call: dict[str, Any], answer: str | None) -> str:
    failed = (answer or "").startswith("Error")
    body = {
        "function": call["name"],
        "arguments": json.loads(call["arguments"]),
        "success": not failed,
        "error" if failed else "value": answer,
    }
    return json.dumps(body, ensure_ascii=False)

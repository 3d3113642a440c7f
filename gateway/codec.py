"""ProtoJSON in and out, by protobuf-py's native codec, with the bounds and the errors it lacks.

The codec names the field but not the place, and runs out of stack on deep input: nesting is bounded
before it sees the text, and a refusal is explained by walking the text again, slowly.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from protobuf import (
    DescField,
    DescFieldValueList,
    DescFieldValueMap,
    DescMessage,
    Message,
    Registry,
    ScalarType,
    message_from_json_value,
)

from gateway.problems import Problem, invalid
from gateway.schema import element_of, fields_by_name, scalar_of

MAX_DEPTH = 32
"""Levels of JSON nesting. Each level of a google.protobuf.Struct takes three messages, and parsers of
protobuf stop at 100: what passes here is accepted by every backend."""

_STRINGS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_TO_ROUND = bytes.maketrans(b"[]{}", b"()()")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_HUGE = re.compile(rb"[eE]\+?\d{3}|\d{309}")
# A text is passed over whole, so that no number in it is touched.
_WHOLE = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|(-?\d+)\.0(?=[,}\]])', re.DOTALL)
_OPEN = frozenset(("google.protobuf.Value", "google.protobuf.Any"))
_FLOATS = (ScalarType.DOUBLE, ScalarType.FLOAT)
_CODEC_ERRORS = (ValueError, TypeError, OverflowError, RecursionError)
_AT = re.compile(r" for (?:field|extension) [\w.]+$")


def decode(message: DescMessage, data: bytes, registry: Registry, at: str = "") -> Message:
    """Parses a JSON document. Raises Problem (400) that names the place; `at` is its own place."""
    check_depth(data)
    check_numbers(message, data)
    try:
        return message.type.from_json(data, registry=registry)
    except json.JSONDecodeError as error:
        raise malformed(data, error) from None
    except _CODEC_ERRORS as error:
        raise _explained(message, parse(data), error, registry, at) from None


def decode_value(message: DescMessage, value: dict[str, Any], registry: Registry, at: str = "") -> Message:
    """Builds a message from parsed JSON, for example from query parameters. Raises Problem (400)."""
    try:
        return message_from_json_value(message.type, value, registry=registry)
    except _CODEC_ERRORS as error:
        raise _explained(message, value, error, registry, at) from None


def parse(data: bytes) -> Any:
    """Parses any JSON value whose depth is bounded. Raises Problem (400)."""
    check_depth(data)
    try:
        return json.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise malformed(data, error) from None


def check_depth(data: bytes) -> None:
    """Refuses text that nests deeper than MAX_DEPTH, in time linear in its length."""
    if data.count(b"[") + data.count(b"{") <= MAX_DEPTH:
        return
    brackets = _STRINGS.sub(b"", data).translate(_TO_ROUND, _NO_BRACKETS)
    for level in range(MAX_DEPTH):
        shorter = brackets.replace(b"()", b"")
        if len(shorter) == len(brackets):
            if brackets.count(b"(") + level > MAX_DEPTH:
                break
            return
        brackets = shorter
    if brackets:
        raise invalid("JSON_TOO_DEEP", f"The JSON document is nested deeper than {MAX_DEPTH} levels.")


def check_numbers(message: DescMessage, data: bytes) -> None:
    """Refuses numbers beyond a double where a google.protobuf.Value would take them as infinite."""
    if holds_values(message) and _HUGE.search(_STRINGS.sub(b"", data)):
        try:
            json.loads(data, parse_float=_finite, parse_int=_finite)
        except OverflowError as error:
            raise invalid(
                "INVALID_VALUE", f"The body holds a number that no double can hold: {error}."
            ) from None
        except (ValueError, RecursionError) as error:
            raise malformed(data, error) from None


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise OverflowError(text[:40])
    return number


def encode(message: Message, registry: Registry, *, emit_defaults: bool) -> str:
    """Writes a message as ProtoJSON, whole floating-point numbers without a fraction: 1200, not 1200.0."""
    text = message.to_json(registry=registry, always_emit_implicit=emit_defaults)
    if ".0" in text and holds_floats(message.desc()):
        return _WHOLE.sub(lambda found: found[1] or found[0], text)
    return text


@cache
def holds_values(message: DescMessage) -> bool:
    """Whether a google.protobuf.Value can occur in a message, at any depth."""
    return any(each.type_name in _OPEN for each in _within(message))


@cache
def holds_floats(message: DescMessage) -> bool:
    """Whether a floating-point number can occur in a message, at any depth."""
    return any(
        each.type_name in _OPEN or any(scalar_of(field) in _FLOATS for field in each.fields)
        for each in _within(message)
    )


def _within(message: DescMessage) -> Iterator[DescMessage]:
    """Yields the message's type and all that can occur in it, each once."""
    seen: set[str] = set()
    queue = [message]
    while queue:
        at = queue.pop()
        if at.type_name not in seen:
            seen.add(at.type_name)
            yield at
            queue.extend(inner for field in at.fields if (inner := element_of(field)) is not None)


def malformed(data: bytes, error: Exception) -> Problem:
    """Says where the text stops being UTF-8 or JSON."""
    try:
        text = data.decode()
    except UnicodeDecodeError as bad:
        return invalid(
            "BAD_UTF8", f"The JSON document is not UTF-8: byte {bad.start} is 0x{data[bad.start]:02x}."
        )
    try:
        json.loads(text, parse_constant=_refuse)
    except json.JSONDecodeError as bad:
        where = f"line {bad.lineno} column {bad.colno}"
        return invalid("MALFORMED_JSON", f"The body is not JSON: {bad.msg} at {where}.")
    except ValueError as bad:
        return invalid("MALFORMED_JSON", f"The body is not JSON: {bad}.")
    return invalid("MALFORMED_JSON", f"The body is not JSON: {error}.")


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON number")


def _explained(message: DescMessage, value: Any, error: Exception, registry: Registry, at: str) -> Problem:
    path, what = next(_wrong(message, value, registry, at), (at, _said(error)))
    unknown = what == _UNKNOWN
    detail = f"{path or 'The body'}: {what}."
    return invalid("UNKNOWN_FIELD" if unknown else "INVALID_VALUE", detail, [(path, what)] if path else [])


_UNKNOWN = "no such field"


def _said(error: Exception) -> str:
    text = _AT.sub("", str(error)).replace("<class '", "").replace("'>", "")
    return text[:200].encode("utf-8", "replace").decode()


def _wrong(message: DescMessage, value: Any, registry: Registry, at: str) -> Iterator[tuple[str, str]]:
    """Yields the places that the codec refuses, by asking it about one member after another."""
    if not isinstance(value, dict) or message.type_name.startswith("google.protobuf."):
        yield (
            at,
            _refusal(lambda: message_from_json_value(message.type, value, registry=registry)) or "wrong type",
        )
        return
    for key, member in value.items():
        place = f"{at}.{key}" if at else str(key)
        field = fields_by_name(message).get(key)
        if field is None:
            yield place[:200], _UNKNOWN
        elif said := _member_refusal(message, key, member, registry):
            yield from _inside(field, member, registry, place, said)


def _member_refusal(message: DescMessage, key: str, member: Any, registry: Registry) -> str:
    return _refusal(lambda: message_from_json_value(message.type, {key: member}, registry=registry))


def _refusal(attempt: Any) -> str:
    try:
        attempt()
    except _CODEC_ERRORS as error:
        return _said(error)
    return ""


def _inside(
    field: DescField, member: Any, registry: Registry, place: str, said: str
) -> Iterator[tuple[str, str]]:
    """Goes down to the element or the submessage that is refused, else blames the whole member."""
    inner = element_of(field)
    match field.value, member:
        case DescFieldValueList(), list():
            for index, each in enumerate(member):
                if _member_refusal(field.parent, field.json_name, [each], registry):
                    spot = f"{place}[{index}]"
                    yield from (
                        _wrong(inner, each, registry, spot) if inner and each is not None else [(spot, said)]
                    )
                    return
        case DescFieldValueMap(), dict():
            for key, each in member.items():
                if _member_refusal(field.parent, field.json_name, {key: each}, registry):
                    spot = f"{place}[{json.dumps(key)}]"
                    yield from (
                        _wrong(inner, each, registry, spot) if inner and each is not None else [(spot, said)]
                    )
                    return
        case _ if inner is not None and isinstance(member, dict):
            yield from _wrong(inner, member, registry, place)
    yield place, said

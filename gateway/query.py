"""Query parameters to JSON: dotted paths reach into messages, a repeated field may be given many times."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

from protobuf import (
    DescField,
    DescFieldValueList,
    DescFieldValueMap,
    DescFieldValueScalar,
    DescMessage,
    ScalarType,
)

from gateway.problems import Problem, invalid
from gateway.schema import fields_by_name, message_of

MAX_PARAMETERS = 1000
MAX_DEPTH = 32

# Well-known types whose JSON is one scalar, so that a parameter can carry them.
_SCALAR_MESSAGES = frozenset(
    f"google.protobuf.{name}"
    for name in (
        "Timestamp",
        "Duration",
        "FieldMask",
        "BoolValue",
        "BytesValue",
        "DoubleValue",
        "FloatValue",
        "Int32Value",
        "Int64Value",
        "StringValue",
        "UInt32Value",
        "UInt64Value",
    )
)


def is_scalar(field: DescField) -> bool:
    """Whether one parameter can carry one value of the field."""
    value = field.value
    if isinstance(value, DescFieldValueMap):
        return False
    element = value.element if isinstance(value, DescFieldValueList) else message_of(field)
    return not isinstance(element, DescMessage) or element.type_name in _SCALAR_MESSAGES


def parse(query: bytes, message: DescMessage, taken: frozenset[str]) -> dict[str, Any]:
    """Answers the JSON value that the parameters spell. Raises Problem (400) naming the parameter.

    `taken` are the top-level or dotted field paths that the path and the body fill.
    """
    out: dict[str, Any] = {}
    for name, text in _pairs(query):
        _put(out, message, name, text, taken)
    return out


def _pairs(query: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MAX_PARAMETERS
        )
    except UnicodeDecodeError as error:
        raise invalid("BAD_UTF8", f"The query is not percent-encoded UTF-8: {error.reason}.") from None
    except ValueError:
        raise invalid(
            "TOO_MANY_PARAMETERS", f"The query has more than {MAX_PARAMETERS} parameters."
        ) from None


def _put(out: dict[str, Any], message: DescMessage, name: str, text: str, taken: frozenset[str]) -> None:
    at, target = message, out
    parts = name.split(".", MAX_DEPTH)
    for part in parts[:-1]:
        field = fields_by_name(at).get(part)
        inner = message_of(field) if field is not None and not is_scalar(field) else None
        if field is None or inner is None:
            raise _unknown(name)
        at, target = inner, target.setdefault(field.json_name, {})
    field = fields_by_name(at).get(parts[-1])
    if field is None or not is_scalar(field):
        raise _unknown(name)
    if _path(message, parts) in taken or parts[0] in taken:
        raise _bad(name, "PARAMETER_TAKEN", "is given by the path or the body, not by the query")
    spelled = value(field, name, text)
    if isinstance(field.value, DescFieldValueList):
        target.setdefault(field.json_name, []).append(spelled)
    elif field.json_name in target:
        raise _bad(name, "PARAMETER_REPEATED", "is given more than once")
    else:
        target[field.json_name] = spelled


def _path(message: DescMessage, parts: list[str]) -> str:
    """Spells a path in proto names, whichever names the client used."""
    names: list[str] = []
    at: DescMessage | None = message
    for part in parts:
        field = fields_by_name(at)[part] if at is not None else None
        names.append(field.name if field is not None else part)
        at = message_of(field) if field is not None else None
    return ".".join(names)


def value(field: DescField, name: str, text: str) -> Any:
    """Answers JSON; the codec reads numbers, bytes and times from strings by itself, but no booleans."""
    if _is_bool(field):
        if text not in ("true", "false"):
            raise _bad(name, "INVALID_VALUE", "must be true or false")
        return text == "true"
    enum = getattr(field.value, "enum", None) or getattr(field.value, "element", None)
    if hasattr(enum, "values") and text.lstrip("-").isdecimal() and len(text) < 12:
        return int(text)
    return text


def _is_bool(field: DescField) -> bool:
    match field.value:
        case DescFieldValueScalar(scalar=ScalarType.BOOL) | DescFieldValueList(element=ScalarType.BOOL):
            return True
        case DescFieldValueList(element=DescMessage() as inner):
            return inner.type_name == "google.protobuf.BoolValue"
    inner_message = message_of(field)
    return inner_message is not None and inner_message.type_name == "google.protobuf.BoolValue"


def _unknown(name: str) -> Problem:
    return _bad(name, "UNKNOWN_PARAMETER", "is no parameter of this method")


def _bad(name: str, reason: str, what: str) -> Problem:
    shown = name[:200]
    return invalid(reason, f"The parameter {shown!r} {what}.", [(shown, what)])

"""Validation rules (buf.validate) as JSON Schema keywords, and as words where there is no keyword."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from protobuf import DescEnum, DescField, Message, Oneof

Json = dict[str, Any]

FIELD = "buf.validate.field"

_FORMATS: Mapping[str, str] = {
    "email": "email",
    "hostname": "hostname",
    "ipv4": "ipv4",
    "ipv6": "ipv6",
    "uri": "uri",
    "uri_ref": "uri-reference",
    "uuid": "uuid",
}
_LENGTHS: Mapping[str, str] = {
    "min_len": "minLength",
    "max_len": "maxLength",
    "min_items": "minItems",
    "max_items": "maxItems",
    "min_pairs": "minProperties",
    "max_pairs": "maxProperties",
}
_BOUNDS: Mapping[str, str] = {
    "gte": "minimum",
    "lte": "maximum",
    "gt": "exclusiveMinimum",
    "lt": "exclusiveMaximum",
}
_WORDS: Mapping[str, str] = {"gte": "At least", "lte": "At most", "gt": "More than", "lt": "Less than"}


def apply(schema: Json, rules: Any, enum: DescEnum | None = None) -> list[str]:
    """Adds keywords for `rules` (buf.validate.FieldRules) to a schema; answers sentences for the rest."""
    words = [_sentence(each.message or each.id) for each in rules.cel]
    match rules.type:
        case Oneof(field="enum", value=typed) if enum is not None:
            _enum(schema, typed, enum)
        case Oneof(field="repeated", value=typed):
            words += _typed(schema, typed, numeric=False)
            if typed.unique:
                schema["uniqueItems"] = True
            if _set(typed, "items") and isinstance(schema.get("items"), dict):
                words += [f"Each: {text}" for text in apply(schema["items"], typed.items, enum)]
        case Oneof(field="map", value=typed):
            words += _typed(schema, typed, numeric=False)
            if _set(typed, "values") and isinstance(schema.get("additionalProperties"), dict):
                apply(schema["additionalProperties"], typed.values, enum)
        case Oneof(field=kind, value=typed):
            words += _typed(schema, typed, numeric=kind not in ("string", "bytes", "bool"))
    return words


def required(rules: Any) -> bool:
    """Whether a request without the field is refused."""
    return bool(rules is not None and rules.required)


def _typed(schema: Json, rules: Message, numeric: bool) -> list[str]:
    """Adds what a rules message sets explicitly, by the names of its fields."""
    words: list[str] = []
    values: dict[str, Any] = {
        field.name: _value(rules, field) for field in type(rules).desc().fields if field in rules
    }
    for name, value in values.items():
        if name in _LENGTHS and schema.get("contentEncoding") is None:
            schema[_LENGTHS[name]] = int(value)
        elif name == "len" and schema.get("contentEncoding") is None:
            schema["minLength"] = schema["maxLength"] = int(value)
        elif name in _BOUNDS and numeric:
            words += _bound(schema, name, value)
        else:
            _other(schema, name, value)
    return words


def _value(rules: Message, field: DescField) -> Any:
    return rules[field]


def _bound(schema: Json, name: str, value: Any) -> list[str]:
    if schema.get("type") in ("integer", "number") and isinstance(value, int | float):
        schema[_BOUNDS[name]] = value
        return []
    # 64-bit numbers and durations are strings in ProtoJSON, for which JSON Schema has no bounds.
    return [f"{_WORDS[name]} {_shown(value)}."]


def _other(schema: Json, name: str, value: Any) -> None:
    if name == "pattern" and isinstance(value, str):
        schema["pattern"] = value
    elif name in _FORMATS and value is True:
        schema["format"] = _FORMATS[name]
    elif name == "const":
        schema["const"] = _jsonable(schema, value)
    elif name == "in" and value:
        schema["enum"] = [_jsonable(schema, each) for each in value]
    elif name == "not_in" and value:
        schema["not"] = {"enum": [_jsonable(schema, each) for each in value]}
    elif name == "prefix" and isinstance(value, str) and "pattern" not in schema:
        schema["description"] = f"{schema.get('description', '')} Begins with {value!r}.".strip()


def _enum(schema: Json, rules: Any, enum: DescEnum) -> None:
    """Narrows an enum to the values that pass; a request that holds another name is refused."""
    listed = {
        field.name: list(_value(rules, field))
        for field in type(rules).desc().fields
        if field.name in ("in", "not_in")
    }
    barred, only = listed.get("not_in", []), listed.get("in", [])
    names = [
        each.name for each in enum.values if each.number not in barred and (not only or each.number in only)
    ]
    if len(names) < len(enum.values):
        schema.pop("$ref", None)
        schema |= {"type": "string", "enum": names}


def _set(rules: Message, name: str) -> bool:
    return getattr(rules, name, None) is not None


def _jsonable(schema: Json, value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    return str(value) if schema.get("type") == "string" else value


def _shown(value: Any) -> str:
    seconds = getattr(value, "seconds", None)
    return f"{seconds} s" if seconds is not None else str(value)


def _sentence(text: str) -> str:
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".") if text else ""

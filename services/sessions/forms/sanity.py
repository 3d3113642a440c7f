"""Whether a JSON Schema may be used: it is valid, small, ends, and takes time that its size bounds.

A check costs what the parts of a schema times the size of a body come to, as long as nothing in it repeats
itself. So references are followed here and counted where they are used, and none may lead back to itself;
keywords by which a part is looked at again for each property of a body are not taken.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs

from services.sessions.forms.errors import SchemaInvalid

DRAFT = "https://json-schema.org/draft/2020-12/schema"
MOST_DEPTH = 32
MOST_PARTS = 1_000

Schema = bool | dict[str, Any]

_REFUSED = frozenset(
    {
        "$id",
        "$anchor",
        "$dynamicRef",
        "$dynamicAnchor",
        "$recursiveRef",
        "$vocabulary",
        "unevaluatedItems",
        "unevaluatedProperties",
    }
)
_ONE = (
    "additionalProperties",
    "contains",
    "contentSchema",
    "else",
    "if",
    "items",
    "not",
    "propertyNames",
    "then",
)
_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
_MAPS = ("dependentSchemas", "patternProperties", "properties")
_REFERENCE = re.compile(r"#/\$defs/([A-Za-z0-9_.-]+)")
_PATTERN_PARTS = 10
"""A pattern takes about so much longer than a comparison."""


def parse(text: str) -> dict[str, Any]:
    """Reads a schema and checks its form; raises SchemaInvalid. What it refers to, `parts` checks."""
    try:
        schema = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SchemaInvalid("", "it is not valid JSON") from error
    if not isinstance(schema, dict):
        raise SchemaInvalid("", "it is not an object")
    if _deeper_than(schema, MOST_DEPTH):
        raise SchemaInvalid("", f"it is nested more than {MOST_DEPTH} deep")
    if schema.get("$schema", DRAFT) != DRAFT:
        raise SchemaInvalid("/$schema", f"the only draft is {DRAFT}")
    try:
        jsonschema_rs.meta.validate(schema | {"$schema": DRAFT})
    except jsonschema_rs.ValidationError as error:
        raise SchemaInvalid(pointer(error.instance_path), "it is not a valid schema") from error
    return schema


def parts(schema: dict[str, Any]) -> int:
    """Answers how many parts the schema has with all references followed; raises SchemaInvalid."""
    count = _Count(schema.get("$defs", {}))
    for name, each in schema.get("$defs", {}).items():
        count.of(each, f"/$defs/{name}")
    return count.of(schema, "")


class _Count:
    """Counts the parts of schemas that refer to these definitions."""

    def __init__(self, definitions: dict[str, Schema]) -> None:
        self._definitions = definitions
        self._known: dict[str, int] = {}
        self._open: set[str] = set()

    def of(self, schema: Schema, path: str) -> int:
        """Answers the parts of a schema; raises SchemaInvalid."""
        if isinstance(schema, bool):
            return 1
        refused = sorted(_REFUSED & schema.keys())
        if refused:
            raise SchemaInvalid(f"{path}/{refused[0]}", "the keyword is not taken here")
        found = 1 + len(schema.get("enum", ())) + len(schema.get("required", ()))
        found += _PATTERN_PARTS * (("pattern" in schema) + len(schema.get("patternProperties", ())))
        found += sum(self.of(each, f"{path}/{place}") for place, each in _within(schema))
        if "$ref" in schema:
            found += self._referred(schema["$ref"], f"{path}/$ref")
        if found > MOST_PARTS:
            raise SchemaInvalid(path, f"it has more than {MOST_PARTS} parts with its references followed")
        return found

    def _referred(self, reference: str, path: str) -> int:
        match = _REFERENCE.fullmatch(reference)
        if match is None or match[1] not in self._definitions:
            raise SchemaInvalid(path, 'a reference is "#/$defs/<name>", to what is there')
        name = match[1]
        if name in self._open:
            raise SchemaInvalid(path, "the reference leads back to itself")
        if name not in self._known:
            self._open.add(name)
            self._known[name] = self.of(self._definitions[name], f"/$defs/{name}")
            self._open.discard(name)
        return self._known[name]


def _within(schema: dict[str, Any]) -> Iterator[tuple[str, Schema]]:
    """Yields the schemas within one, each with its place."""
    for name in _ONE:
        if name in schema:
            yield name, schema[name]
    for name in _LISTS:
        yield from ((f"{name}/{index}", each) for index, each in enumerate(schema.get(name, ())))
    for name in _MAPS:
        yield from ((pointer((name, key))[1:], each) for key, each in schema.get(name, {}).items())


def _deeper_than(value: Any, most: int) -> bool:
    """Whether JSON is nested deeper, without recursion."""
    level = [value]
    for _ in range(most):
        level = [each for every in level for each in _children(every)]
        if not level:
            return False
    return True


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def pointer(path: Any) -> str:
    """Answers a path as a JSON Pointer (RFC 6901)."""
    return "".join("/" + str(each).replace("~", "~0").replace("/", "~1") for each in path)

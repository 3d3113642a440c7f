"""JSON Schemas (2020-12, as OpenAPI 3.1 takes them) of messages and enums in their ProtoJSON form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from protobuf import (
    DescEnum,
    DescField,
    DescFieldValueEnum,
    DescFieldValueList,
    DescFieldValueMap,
    DescFieldValueMessage,
    DescFieldValueScalar,
    DescMessage,
    ScalarType,
)

from gateway.openapi import constraints
from gateway.openapi.comments import Comments
from gateway.openapi.constraints import Json
from gateway.schema import Schema

_INT64: Json = {"type": "string", "format": "int64", "pattern": "^-?[0-9]+$"}
_UINT64: Json = {"type": "string", "format": "uint64", "pattern": "^[0-9]+$"}
_INT32: Json = {"type": "integer", "format": "int32", "minimum": -(2**31), "maximum": 2**31 - 1}
_UINT32: Json = {"type": "integer", "format": "uint32", "minimum": 0, "maximum": 2**32 - 1}
_BYTES: Json = {"type": "string", "contentEncoding": "base64"}

_SCALARS: Mapping[ScalarType, Json] = {
    ScalarType.DOUBLE: {"type": "number", "format": "double"},
    ScalarType.FLOAT: {"type": "number", "format": "float"},
    ScalarType.INT64: _INT64,
    ScalarType.SINT64: _INT64,
    ScalarType.SFIXED64: _INT64,
    ScalarType.UINT64: _UINT64,
    ScalarType.FIXED64: _UINT64,
    ScalarType.INT32: _INT32,
    ScalarType.SINT32: _INT32,
    ScalarType.SFIXED32: _INT32,
    ScalarType.UINT32: _UINT32,
    ScalarType.FIXED32: _UINT32,
    ScalarType.BOOL: {"type": "boolean"},
    ScalarType.STRING: {"type": "string"},
    ScalarType.BYTES: _BYTES,
}

_BY_NAME: Mapping[str, Json] = {
    "Timestamp": {"type": "string", "format": "date-time"},
    "Duration": {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]{1,9})?s$", "examples": ["1.5s"]},
    "FieldMask": {"type": "string", "examples": ["displayName,labels"]},
    "Struct": {"type": "object"},
    "ListValue": {"type": "array", "items": {}},
    "Value": {},
    "Any": {"type": "object", "properties": {"@type": {"type": "string"}}, "required": ["@type"]},
    "Empty": {"type": "object", "maxProperties": 0},
    "BoolValue": _SCALARS[ScalarType.BOOL],
    "BytesValue": _BYTES,
    "StringValue": {"type": "string"},
    "DoubleValue": _SCALARS[ScalarType.DOUBLE],
    "FloatValue": _SCALARS[ScalarType.FLOAT],
    "Int32Value": _INT32,
    "UInt32Value": _UINT32,
    "Int64Value": _INT64,
    "UInt64Value": _UINT64,
}

_WELL_KNOWN: Mapping[str, Json] = {f"google.protobuf.{name}": schema for name, schema in _BY_NAME.items()}

_BEHAVIOUR = {2: "required", 3: "readOnly", 4: "writeOnly"}
"""google.api.FieldBehavior"""


class Schemas:
    """Collects the components that what is served refers to."""

    def __init__(self, schema: Schema, comments: Comments) -> None:
        self.components: Json = {}
        self._schema = schema
        self._comments = comments

    def message(self, desc: DescMessage) -> Json:
        """Answers a reference to a message's component, or the schema of a well-known type."""
        if (known := _WELL_KNOWN.get(desc.type_name)) is not None:
            return dict(known)
        if desc.type_name not in self.components:
            self.components[desc.type_name] = {}
            self.components[desc.type_name] = self.object(desc)
        return {"$ref": f"#/components/schemas/{desc.type_name}"}

    def object(self, desc: DescMessage, without: frozenset[str] = frozenset()) -> Json:
        """Answers the object schema of a message, without the fields named."""
        fields = [field for field in desc.fields if field.name not in without]
        schema: Json = {"type": "object"}
        if text := self._described(desc):
            schema["description"] = text
        if fields:
            schema["properties"] = {field.json_name: self.field(field) for field in fields}
        if needed := [field.json_name for field in fields if self.needed(field)]:
            schema["required"] = needed
        # ProtoJSON parsers refuse what they do not know; the gateway does.
        schema["additionalProperties"] = False
        return schema

    def needed(self, field: DescField) -> bool:
        """Whether the field must be given."""
        rules = self._schema.option(field.proto.options, constraints.FIELD)
        return constraints.required(rules) or "required" in self._behaviour(field)

    def field(self, field: DescField) -> Json:
        """Answers the schema of a field, with its comment and its constraints."""
        schema, enum = self._shape(field)
        sentences = [self._comments.of(f"{field.parent.type_name}.{field.name}")]
        rules = self._schema.option(field.proto.options, constraints.FIELD)
        if rules is not None:
            sentences += constraints.apply(schema, rules, enum)
        if text := " ".join(filter(None, [*sentences, schema.get("description", "")])):
            schema["description"] = text
        if field.deprecated:
            schema["deprecated"] = True
        schema |= {name: True for name in self._behaviour(field) if name != "required"}
        return schema

    def _behaviour(self, field: DescField) -> list[str]:
        marks = self._schema.option(field.proto.options, "google.api.field_behavior") or []
        return [_BEHAVIOUR[int(mark)] for mark in marks if int(mark) in _BEHAVIOUR]

    def _shape(self, field: DescField) -> tuple[Json, DescEnum | None]:
        match field.value:
            case DescFieldValueScalar(scalar=scalar):
                return dict(_SCALARS[scalar]), None
            case DescFieldValueEnum(enum=enum):
                return self._enum(enum), enum
            case DescFieldValueMessage(message=message):
                return self.message(message), None
            case DescFieldValueList(element=element):
                return {"type": "array", "items": self._element(element)}, _enum_of(element)
            case DescFieldValueMap(value=element):
                return {"type": "object", "additionalProperties": self._element(element)}, _enum_of(element)

    def _element(self, element: Any) -> Json:
        match element:
            case DescMessage():
                return self.message(element)
            case DescEnum():
                return self._enum(element)
        return dict(_SCALARS[element])

    def _enum(self, enum: DescEnum) -> Json:
        if enum.type_name == "google.protobuf.NullValue":
            return {"type": "null"}
        if enum.type_name not in self.components:
            texts = [(each.name, self._comments.of(f"{enum.type_name}.{each.name}")) for each in enum.values]
            lines = [
                self._comments.of(enum.type_name),
                *(f"- `{name}`: {text}" for name, text in texts if text),
            ]
            schema: Json = {"type": "string", "enum": [each.name for each in enum.values]}
            if text := "\n".join(filter(None, lines)):
                schema["description"] = text
            self.components[enum.type_name] = schema
        return {"$ref": f"#/components/schemas/{enum.type_name}"}

    def _described(self, desc: DescMessage) -> str:
        lines = [self._comments.of(desc.type_name)]
        for oneof in desc.oneofs:
            names = ", ".join(f"`{field.json_name}`" for field in oneof.fields)
            lines.append(f"At most one of {names} is set.")
        return "\n\n".join(filter(None, lines))


def _enum_of(element: Any) -> DescEnum | None:
    return element if isinstance(element, DescEnum) else None

"""Reads a descriptor set: its services, their `google.api.http` rules, options and comments."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from protobuf import (
    DescExtension,
    DescField,
    DescFieldValueList,
    DescFieldValueMap,
    DescFieldValueMessage,
    DescFieldValueScalar,
    DescMessage,
    DescMethod,
    DescService,
    Message,
    Oneof,
    Registry,
    ScalarType,
)
from protobuf.wkt import FileDescriptorSet

from gateway.template import Template, parse

# A name, with the indexes and quoted map keys after it, in which dots may stand.
_PATH_PART = re.compile(r'([^.\[\]]+)((?:\[(?:"(?:[^"\\]|\\.)*"|[^\]"]*)\])*)')

HTTP_BODY = "google.api.HttpBody"
NO_SIDE_EFFECTS = 1
"""google.protobuf.MethodOptions.IdempotencyLevel.NO_SIDE_EFFECTS"""


class SchemaError(Exception):
    """The descriptor set cannot be served; the text says which element and why."""


@dataclass(frozen=True, slots=True, eq=False)
class Binding:
    """One HTTP rule of one RPC."""

    method: DescMethod
    verb: str
    template: Template
    body: str
    """"" for none, "*" for the whole request, else the name of the field."""
    response_body: str
    index: int
    """0 for the rule itself, then its additional bindings."""

    @property
    def rpc(self) -> str:
        """The gRPC path, as in `/shop.v1.Books/GetBook`."""
        return f"/{self.method.parent.type_name}/{self.method.name}"

    @property
    def safe(self) -> bool:
        """Whether the RPC declares that it changes nothing, so that it may be sent again."""
        return int(self.method.idempotency or 0) == NO_SIDE_EFFECTS

    @property
    def body_field(self) -> DescField | None:
        """The field that the HTTP body fills, if the rule names one."""
        return None if self.body in ("", "*") else fields_by_name(self.method.input)[self.body]

    @property
    def upload(self) -> DescMessage | None:
        """google.api.HttpBody, if the HTTP body is taken raw."""
        field = self.body_field
        taken = message_of(field) if field is not None else self.method.input if self.body == "*" else None
        return taken if taken is not None and taken.type_name == HTTP_BODY else None

    @property
    def raw_response(self) -> bool:
        """Whether the response is a google.api.HttpBody, written as it is."""
        return self.result.type_name == HTTP_BODY if isinstance(self.result, DescMessage) else False

    @property
    def result(self) -> DescMessage | DescField:
        """What is answered: the response message, or the field that `response_body` names."""
        if not self.response_body:
            return self.method.output
        field = fields_by_name(self.method.output)[self.response_body]
        return message_of(field) or field


class Schema:
    """A descriptor set, loaded."""

    def __init__(self, data: bytes) -> None:
        try:
            self.registry: Registry = FileDescriptorSet.from_binary(data).to_registry()
        except (ValueError, AssertionError) as error:
            raise SchemaError(
                f"the descriptor set cannot be read (are its imports included?): {error}"
            ) from error
        self.services = sorted(
            (item for item in self.registry if isinstance(item, DescService)), key=lambda item: item.type_name
        )
        self._http = self.registry.extension("google.api.http")

    @classmethod
    def load(cls, path: Path) -> Schema:
        """Loads a file. Raises SchemaError."""
        try:
            return cls(path.read_bytes())
        except OSError as error:
            raise SchemaError(f"the descriptor set cannot be read: {error}") from error

    def option(self, options: Message | None, name: str) -> Any:
        """Answers the value of a custom option, or None if it is unknown or unset."""
        extension = self.registry.extension(name)
        return _option(options, extension) if extension is not None else None

    def bindings(self) -> list[Binding]:
        """Answers every HTTP rule. Raises SchemaError for one that cannot be served."""
        found = [
            bound for service in self.services for method in service.methods for bound in self._of(method)
        ]
        if not found:
            raise SchemaError("the descriptor set has no method with a google.api.http rule")
        return found

    def _of(self, method: DescMethod) -> Iterator[Binding]:
        rule = _option(method.proto.options, self._http) if self._http is not None else None
        if rule is None:
            return
        for index, each in enumerate([rule, *rule.additional_bindings]):
            yield self._binding(method, each, index)

    def _binding(self, method: DescMethod, rule: Any, index: int) -> Binding:
        match rule.pattern:
            case Oneof(field="custom", value=custom):
                verb, path = custom.kind.upper(), custom.path
            case Oneof(field=kind, value=path):
                verb = kind.upper()
            case _:
                raise SchemaError(f"{method}: its HTTP rule has no pattern")
        try:
            binding = Binding(method, verb, parse(path), rule.body, rule.response_body, index)
            for variable in binding.template.variables:
                resolve(method.input, variable.path)
            _ = binding.body_field, binding.result
        except (ValueError, KeyError) as error:
            raise SchemaError(f"{method}: its HTTP rule cannot be served: {error}") from error
        return binding


def _option(options: Message | None, extension: DescExtension) -> Any:
    if options is None or extension.type not in options:
        return None
    return options[extension.type]


@cache
def fields_by_name(message: DescMessage) -> dict[str, DescField]:
    """Answers a message's fields by proto name and by JSON name."""
    return {field.json_name: field for field in message.fields} | {
        field.name: field for field in message.fields
    }


def message_of(field: DescField) -> DescMessage | None:
    """Answers the message type of a singular message field."""
    return field.value.message if isinstance(field.value, DescFieldValueMessage) else None


def element_of(field: DescField) -> DescMessage | None:
    """Answers the message type of a field, of its elements or of its map's values."""
    value = field.value
    match value:
        case DescFieldValueList(element=DescMessage() as element):
            return element
        case DescFieldValueMap(value=DescMessage() as element):
            return element
    return message_of(field)


def scalar_of(field: DescField) -> ScalarType | None:
    """Answers the scalar type of a field, of its elements or of its map's values."""
    match field.value:
        case DescFieldValueScalar(scalar=scalar):
            return scalar
        case DescFieldValueList(element=ScalarType() as element):
            return element
        case DescFieldValueMap(value=ScalarType() as element):
            return element
    return None


def resolve(message: DescMessage, path: str) -> tuple[DescField, ...]:
    """Answers the singular fields along a dotted path. Raises KeyError that names the missing one."""
    found: list[DescField] = []
    at: DescMessage | None = message
    for name in path.split("."):
        if at is None or name not in fields_by_name(at):
            raise KeyError(f"{path!r} names no field of {message.type_name}")
        field = fields_by_name(at)[name]
        if isinstance(field.value, DescFieldValueList | DescFieldValueMap):
            raise KeyError(f"{path!r} goes through the repeated field {field.name}")
        found.append(field)
        at = message_of(field)
    return tuple(found)


def json_path(message: DescMessage, path: str) -> str:
    """Translates a proto field path (`books[0].display_name`) into JSON names; keeps what it cannot."""
    out: list[str] = []
    at: DescMessage | None = message
    for part in _PATH_PART.finditer(path):
        name, keys = part.groups()
        field = fields_by_name(at).get(name) if at is not None else None
        out.append((field.json_name if field is not None else name) + keys)
        at = element_of(field) if field is not None else None
    return ".".join(out)

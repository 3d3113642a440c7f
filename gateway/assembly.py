"""Builds the request message of a binding out of path, query, body and Idempotency-Key."""

from __future__ import annotations

from typing import Any

from protobuf import (
    DescField,
    DescFieldValueMessage,
    DescFieldValueScalar,
    DescMessage,
    Message,
    Registry,
    ScalarType,
)

from gateway import codec, query
from gateway.problems import invalid
from gateway.schema import Binding, message_of, resolve
from gateway.template import Variable

REQUEST_ID = "request_id"
"""The field that the Idempotency-Key header fills when the body leaves it empty (AIP-155)."""


class Assembler:
    """Does it for one binding; what can be known before a request is worked out once."""

    def __init__(self, binding: Binding, registry: Registry) -> None:
        self._input = binding.method.input
        self._registry = registry
        self._body = binding.body
        self._body_field = binding.body_field
        self._upload = binding.upload
        self._variables = [
            (variable, resolve(self._input, variable.path)) for variable in binding.template.variables
        ]
        self._taken = frozenset(
            [variable.path for variable, _ in self._variables] + [binding.body] * bool(binding.body)
        )
        self._request_id = _string_field(self._input, REQUEST_ID)

    def assemble(
        self, segments: list[str], query_string: bytes, body: bytes, content_type: str, idempotency_key: bytes
    ) -> Message:
        """Answers the message. Raises Problem (400) that names what is wrong with the request."""
        message = self._start(query_string, body, content_type)
        for variable, fields in self._variables:
            self._fill(message, variable, fields, segments)
        if idempotency_key and self._request_id is not None and not message[self._request_id]:
            message[self._request_id] = idempotency_key.decode("ascii", "replace")
        return message

    def chunk(self, body: bytes, content_type: str) -> Message:
        """Answers a further message of a client stream: what the body fills, and nothing else."""
        return self._start(b"", body, content_type)

    def _start(self, query_string: bytes, body: bytes, content_type: str) -> Message:
        if self._body == "*":
            if query_string:
                query.parse(query_string, self._input, frozenset(field.name for field in self._input.fields))
            if self._upload is not None:
                return _http_body(self._upload, body, content_type)
            return codec.decode(self._input, body, self._registry) if body else self._input.type()
        if query_string:
            spelled = query.parse(query_string, self._input, self._taken)
            message = codec.decode_value(self._input, spelled, self._registry)
        else:
            message = self._input.type()
        if self._body_field is not None and body:
            message[self._body_field] = self._body_value(self._body_field, body, content_type)
        return message

    def _body_value(self, field: DescField, body: bytes, content_type: str) -> Any:
        if self._upload is not None:
            return _http_body(self._upload, body, content_type)
        inner = message_of(field)
        if inner is not None:
            return codec.decode(inner, body, self._registry)
        whole = {field.json_name: codec.parse(body)}
        return codec.decode_value(self._input, whole, self._registry)[field]

    def _fill(
        self, message: Message, variable: Variable, fields: tuple[DescField, ...], segments: list[str]
    ) -> None:
        try:
            text = variable.value(segments)
        except UnicodeDecodeError:
            raise invalid("BAD_UTF8", f"The path's {variable.path} is not percent-encoded UTF-8.") from None
        target = message
        for field in fields[:-1]:
            if field not in target:
                assert isinstance(field.value, DescFieldValueMessage)  # noqa: S101  (resolve() saw to it)
                target[field] = field.value.message.type()
            target = target[field]
        leaf = fields[-1]
        if isinstance(leaf.value, DescFieldValueScalar) and leaf.value.scalar is ScalarType.STRING:
            target[leaf] = text
        else:
            spelled = query.value(leaf, variable.path, text)
            parsed = codec.decode_value(leaf.parent, {leaf.json_name: spelled}, self._registry)
            target[leaf] = parsed[leaf]


def _string_field(message: DescMessage, name: str) -> DescField | None:
    for field in message.fields:
        if field.name == name and isinstance(field.value, DescFieldValueScalar):
            return field if field.value.scalar is ScalarType.STRING else None
    return None


def _http_body(desc: DescMessage, data: bytes, content_type: str) -> Message:
    return desc.type(content_type=content_type, data=data)

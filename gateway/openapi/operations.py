"""One OpenAPI operation for each binding."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from protobuf import DescField, DescMessage

from gateway.assembly import REQUEST_ID
from gateway.openapi import access
from gateway.openapi.comments import Comments
from gateway.openapi.constraints import Json
from gateway.openapi.schemas import Schemas
from gateway.query import is_scalar
from gateway.schema import Binding, Schema, json_path, message_of, resolve
from gateway.template import DEEP, STAR

QUERY_DEPTH = 4
"""How deep query parameters of nested messages are listed; the gateway itself takes deeper ones."""
_BINARY: Json = {"schema": {"type": "string", "format": "binary"}}


@dataclass(frozen=True, slots=True)
class Place:
    """A wildcard of a path: the name of its parameter, what it fills and how it reads."""

    name: str
    schema: Json
    description: str


def places(binding: Binding, schemas: Schemas) -> list[Place]:
    """Answers the wildcards of a path in order; each becomes one path parameter."""
    found: list[Place] = []
    for index, segment in enumerate(binding.template.segments):
        if segment not in (STAR, DEEP):
            continue
        variable = next(
            (each for each in binding.template.variables if each.start <= index < (each.stop or index + 1)),
            None,
        )
        note = " May hold slashes." if segment == DEEP else ""
        if variable is None:
            found.append(Place(f"segment{index}", {"type": "string"}, "Any segment." + note))
            continue
        name = json_path(binding.method.input, variable.path)
        schema = schemas.field(resolve(binding.method.input, variable.path)[-1])
        text = schema.pop("description", "")
        if variable.pattern not in (STAR, DEEP):
            found.append(
                Place(f"{name}.{index}", {"type": "string"}, f"A part of `{name}`, {variable.pattern}.{note}")
            )
        else:
            found.append(Place(name, schema, (text + note).strip()))
    return found


class Operations:
    """Writes operations against shared components."""

    def __init__(self, schema: Schema, schemas: Schemas, comments: Comments, tags: dict[str, str]) -> None:
        self._schema, self._schemas, self._comments, self._tags = schema, schemas, comments, tags

    def write(self, binding: Binding, path_parameters: list[Json]) -> Json:
        """Answers the operation of a binding."""
        method = binding.method
        service = self._tags[method.parent.type_name]
        suffix = f"_{binding.index + 1}" if binding.index else ""
        comment = self._comments.of(f"{method.parent.type_name}.{method.name}")
        summary = comment.partition("\n\n")[0].replace("\n", " ")
        operation: Json = {"operationId": f"{service}_{method.name}{suffix}", "tags": [service]}
        if summary:
            operation["summary"] = summary
        rule = self._schema.option(method.proto.options, access.RULE)
        if text := "\n\n".join(
            filter(None, [comment, *(access.sentences(rule) if rule is not None else ())])
        ):
            operation["description"] = text
        if parameters := [*path_parameters, *self._query(binding), *_headers(binding)]:
            operation["parameters"] = parameters
        if body := self._body(binding):
            operation["requestBody"] = body
        operation["responses"] = {
            "200": self._answer(binding),
            "default": {"$ref": "#/components/responses/Problem"},
        }
        if rule is not None:
            operation["security"] = [{"bearer": []}] if access.needs_credential(rule) else []
        if method.deprecated:
            operation["deprecated"] = True
        return operation

    def _query(self, binding: Binding) -> Iterator[Json]:
        if binding.body == "*":
            return
        taken = {variable.path for variable in binding.template.variables} | {binding.body}
        for names, field in _scalars(binding.method.input, (), taken):
            schema = self._schemas.field(field)
            parameter: Json = {"name": names, "in": "query", "schema": schema}
            if text := schema.pop("description", ""):
                parameter["description"] = text
            if schema.pop("deprecated", False):
                parameter["deprecated"] = True
            if "." not in names and self._schemas.needed(field):
                parameter["required"] = True
            yield parameter

    def _body(self, binding: Binding) -> Json:
        if not binding.body:
            return {}
        if binding.upload is not None:
            return {"content": {"*/*": _BINARY}}
        field = binding.body_field
        if field is not None:
            schema, needed = self._schemas.field(field), self._schemas.needed(field)
        else:
            taken = frozenset(each.path for each in binding.template.variables if "." not in each.path)
            whole = self._schemas.message(binding.method.input)
            schema = self._schemas.object(binding.method.input, taken) if taken else whole
            needed = bool(schema.get("required"))
        streamed = binding.method.method_kind in ("client_streaming", "bidi_streaming")
        body: Json = {
            "content": {"application/x-ndjson" if streamed else "application/json": {"schema": schema}}
        }
        return body | ({"required": True} if needed else {})

    def _answer(self, binding: Binding) -> Json:
        if binding.raw_response:
            return {"description": "The bytes, in their own media type.", "content": {"*/*": _BINARY}}
        result = binding.result
        schema = (
            self._schemas.message(result) if isinstance(result, DescMessage) else self._schemas.field(result)
        )
        if binding.method.method_kind not in ("server_streaming", "bidi_streaming"):
            return {"description": "The answer.", "content": {"application/json": {"schema": schema}}}
        problem = {"$ref": "#/components/schemas/Problem"}
        line = {"type": "object", "properties": {"result": schema, "error": problem}}
        content: Json = {
            "application/x-ndjson": {"schema": line},
            "text/event-stream": {"schema": {"type": "string"}},
        }
        return {"description": "Messages as they come, one a line or one an event.", "content": content}


def _scalars(
    message: DescMessage, above: tuple[DescField, ...], taken: set[str]
) -> Iterator[tuple[str, DescField]]:
    """Yields the query parameters under a message, their names dotted, without those taken elsewhere."""
    for field in message.fields:
        path = (*above, field)
        if ".".join(each.name for each in path) in taken:
            continue
        inner = message_of(field)
        if is_scalar(field):
            yield ".".join(each.json_name for each in path), field
        elif inner is not None and _listed(inner, path):
            yield from _scalars(inner, path, taken)


def _listed(inner: DescMessage, path: tuple[DescField, ...]) -> bool:
    """Whether the fields of a nested message are listed: not too deep, and not of a type around it."""
    around = [each.parent.type_name for each in path]
    return (
        len(path) < QUERY_DEPTH
        and inner.type_name not in around
        and not inner.type_name.startswith("google.")
    )


def _headers(binding: Binding) -> Iterator[Json]:
    if any(field.name == REQUEST_ID for field in binding.method.input.fields):
        yield {"$ref": "#/components/parameters/IdempotencyKey"}

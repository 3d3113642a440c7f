"""The OpenAPI 3.1 document of everything that is served."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from gateway.openapi.comments import Comments
from gateway.openapi.constraints import Json
from gateway.openapi.operations import Operations, Place, places
from gateway.openapi.schemas import Schemas
from gateway.schema import Binding, Schema
from gateway.template import DEEP, STAR

_METHODS = frozenset(("GET", "PUT", "POST", "DELETE", "PATCH"))
"""What OpenAPI has a word for; bindings to custom methods are served, but not described."""

_VIOLATION: Json = {
    "type": "object",
    "properties": {
        "field": {"type": "string"},
        "description": {"type": "string"},
        "reason": {"type": "string"},
    },
}
_PROBLEM: Json = {
    "type": "object",
    "description": "What went wrong (RFC 9457), with the google.rpc details that the service gave.",
    "required": ["type", "title", "status", "detail", "instance", "code"],
    "properties": {
        "type": {"type": "string", "description": "A URI for the reason, or `about:blank`."},
        "title": {"type": "string"},
        "status": {"type": "integer", "description": "The HTTP status."},
        "detail": {"type": "string", "description": "A sentence for developers."},
        "instance": {"type": "string", "description": "The id of the request, as in X-Request-Id."},
        "code": {
            "type": "string",
            "description": "The name of the google.rpc.Code, for example `NOT_FOUND`.",
        },
        "reason": {"type": "string", "description": "What programs may rely on, for example `RATE_LIMITED`."},
        "domain": {"type": "string", "description": "Who defines the reason."},
        "metadata": {"type": "object", "additionalProperties": {"type": "string"}},
        "details": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["@type"],
                "properties": {
                    "@type": {"type": "string"},
                    "fieldViolations": {"type": "array", "items": _VIOLATION},
                },
            },
        },
    },
}
_IDEMPOTENCY_KEY: Json = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "Makes it safe to send the request again; the same as `requestId` in the body.",
    "schema": {"type": "string"},
}


def document(schema: Schema, bindings: Sequence[Binding], title: str) -> Json:
    """Answers the document as JSON values."""
    comments = Comments(schema)
    schemas = Schemas(schema, comments)
    tags = _tags(bindings)
    operations = Operations(schema, schemas, comments, tags)
    paths: Json = {}
    names: dict[str, tuple[str, list[str]]] = {}
    for binding in bindings:
        if binding.verb not in _METHODS:
            continue
        found = places(binding, schemas)
        # Paths that differ by their parameters' names alone are one path to OpenAPI: the first names stay.
        path, kept = names.setdefault(_shape(binding), (_path(binding, found), [each.name for each in found]))
        item: Json = paths.setdefault(path, {})
        item.setdefault(binding.verb.lower(), operations.write(binding, _parameters(found, kept)))
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": "v1"},
        "tags": [
            {"name": tag} | ({"description": text} if (text := comments.of(service)) else {})
            for service, tag in tags.items()
        ],
        "paths": paths,
        "components": {
            "schemas": schemas.components | {"Problem": _PROBLEM},
            "parameters": {"IdempotencyKey": _IDEMPOTENCY_KEY},
            "responses": {
                "Problem": {
                    "description": "An error.",
                    "content": {
                        "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
                    },
                }
            },
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def _tags(bindings: Sequence[Binding]) -> dict[str, str]:
    """Names services by their short name, where that is not shared."""
    services = {binding.method.parent.type_name: binding.method.parent.name for binding in bindings}
    shared = Counter(services.values())
    return {full: short if shared[short] == 1 else full for full, short in services.items()}


def _shape(binding: Binding) -> str:
    blank = ["{}" if segment in (STAR, DEEP) else segment for segment in binding.template.segments]
    return "/".join(blank) + ":" + binding.template.verb


def _path(binding: Binding, found: list[Place]) -> str:
    left = iter(found)
    parts = [
        f"{{{next(left).name}}}" if segment in (STAR, DEEP) else segment
        for segment in binding.template.segments
    ]
    return "/" + "/".join(parts) + (f":{binding.template.verb}" if binding.template.verb else "")


def _parameters(found: list[Place], kept: list[str]) -> list[Json]:
    parameters: list[Json] = []
    for place, name in zip(found, kept, strict=True):
        parameter: Json = {"name": name, "in": "path", "required": True, "schema": place.schema}
        parameters.append(parameter | ({"description": place.description} if place.description else {}))
    return parameters

"""Comments of the proto source, by the full name of what they stand at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gateway.schema import Schema

# Field numbers of google.protobuf.FileDescriptorProto and its parts, of which source paths consist.
_FILE_PARTS = ((4, "message_type"), (5, "enum_type"), (6, "service"))
_PARTS = {
    "message_type": ((2, "field"), (3, "nested_type"), (4, "enum_type"), (8, "oneof_decl")),
    "nested_type": ((2, "field"), (3, "nested_type"), (4, "enum_type"), (8, "oneof_decl")),
    "enum_type": ((2, "value"),),
    "service": ((2, "method"),),
}


class Comments:
    """Looks comments up; empty where the set has no source info."""

    def __init__(self, schema: Schema) -> None:
        self._texts: dict[str, str] = {}
        for service in schema.services:
            self._add(service.file)

    def _add(self, file: Any) -> None:
        marker = f"file:{file.name}"
        if marker in self._texts:
            return
        self._texts[marker] = ""
        info = file.proto.source_code_info
        located = {tuple(each.path): _text(each) for each in (info.location if info else ())}
        self._texts.update(
            (name, located[path])
            for name, path in _walk(file.proto, file.proto.package, (), _FILE_PARTS)
            if located.get(path)
        )
        for dependency in file.dependencies:
            self._add(dependency)

    def of(self, full_name: str) -> str:
        """Answers the comment at a message, field, enum, value, service or method, by its full name."""
        return self._texts.get(full_name, "")


def _walk(
    proto: Any, name: str, path: tuple[int, ...], parts: tuple[tuple[int, str], ...]
) -> Iterator[tuple[str, tuple[int, ...]]]:
    for number, attribute in parts:
        for index, part in enumerate(getattr(proto, attribute)):
            inner_name, inner_path = f"{name}.{part.name}".lstrip("."), (*path, number, index)
            yield inner_name, inner_path
            yield from _walk(part, inner_name, inner_path, _PARTS.get(attribute, ()))


def _text(location: Any) -> str:
    text = location.leading_comments or location.trailing_comments or ""
    return "\n".join(line.removeprefix(" ").rstrip() for line in text.splitlines()).strip()

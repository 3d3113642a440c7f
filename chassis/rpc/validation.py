"""Validates requests by the constraints that their protos declare (buf.validate)."""

from __future__ import annotations

from functools import cache

import protovalidate
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from chassis.errors import InvalidArgument

_MOST_SHOWN = 20

Violation = tuple[str, str]


class RequestInvalid(InvalidArgument):
    """The request breaks declared constraints; each is told with its field."""

    reason = "REQUEST_INVALID"

    def __init__(self, violations: list[Violation]) -> None:
        path, sentence = violations[0]
        super().__init__(f"{path or 'The request'}: {sentence}")
        self._violations = violations[:_MOST_SHOWN]

    def violations(self) -> list[Violation]:
        """Answers each broken constraint, up to twenty."""
        return self._violations


_validator = protovalidate.Validator()


def validate(request: Message) -> None:
    """Raises RequestInvalid if the request breaks a constraint, or holds a NUL character in a text.

    PostgreSQL stores no NUL in texts, so no field of ours can mean one.
    """
    check_constraints(request)
    # Serializing is quick, and few requests hold a zero byte but in numbers; only those are looked into.
    if b"\0" in request.SerializePartialToString():
        nuls = _nuls(request, "")
        if nuls:
            raise RequestInvalid([(path, "must not contain a NUL character") for path in nuls])


def check_constraints(request: Message) -> None:
    """Raises RequestInvalid if the request breaks a constraint; for texts that hold no NUL anyway."""
    found = _validator.collect_violations(request)
    if found:
        raise RequestInvalid([(_path(each), each.proto.message) for each in found])


def _path(violation: protovalidate.Violation) -> str:
    """Answers the path of the field, as in "teams[2].title"; empty for the whole message."""
    parts: list[str] = []
    for element in violation.proto.field.elements if violation.proto.field else ():
        subscript = element.subscript
        within = "" if subscript is None else f"[{subscript.value if subscript.field == 'index' else ''}]"
        parts.append(f"{element.field_name}{within}")
    return ".".join(parts)


def _nuls(message: Message, before: str) -> list[str]:
    """Answers the paths of the text fields that hold a NUL character."""
    found: list[str] = []
    holding = _holding_text(message.DESCRIPTOR)
    for field, value in message.ListFields():
        if field.number not in holding:
            continue
        path = f"{before}{field.name}"
        if field.type == FieldDescriptor.TYPE_STRING:
            texts = value if field.is_repeated else (value,)
            found += [path] if any("\0" in text for text in texts) else []
        elif field.type == FieldDescriptor.TYPE_MESSAGE:
            found += _nuls_below(field, value, path)
    return found


def _nuls_below(field: FieldDescriptor, value: object, path: str) -> list[str]:
    entry = field.message_type
    if entry is not None and entry.GetOptions().map_entry:
        return _nuls_in_map(value, path)
    messages = value if field.is_repeated else (value,)
    return [found for each in messages for found in _nuls(each, f"{path}.")]  # type: ignore[attr-defined]


def _nuls_in_map(value: object, path: str) -> list[str]:
    found: list[str] = []
    for key, item in value.items():  # type: ignore[attr-defined]
        if any(isinstance(text, str) and "\0" in text for text in (key, item)):
            found.append(path)
        elif isinstance(item, Message):
            found += _nuls(item, f"{path}.")
    return found


@cache
def _holding_text(descriptor: Descriptor) -> frozenset[int]:
    """Answers the numbers of the fields that are a text, or may contain one."""
    return frozenset(field.number for field in descriptor.fields if _may_hold_text(field, set()))


def _may_hold_text(field: FieldDescriptor, seen: set[str]) -> bool:
    if field.type == FieldDescriptor.TYPE_STRING:
        return True
    below = field.message_type
    if below is None or below.full_name in seen:
        return False
    seen.add(below.full_name)
    return any(_may_hold_text(each, seen) for each in below.fields)

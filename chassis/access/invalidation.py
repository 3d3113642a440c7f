"""Drops cached rights when identity or enterprise tells of a change."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from uuid import UUID

from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from wrtn.enterprise.v1 import events_pb2
from wrtn.events.v1 import events_pb2 as options

AUDITED = ".audit.recorded"
"""How the subjects of events end that tell only what was audited: they change no rights."""

_UUID = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def named_ids(headers: Mapping[str, str], payload: bytes) -> set[UUID]:
    """Answers every id that an event names, in its headers or its message, whatever its type.

    To read the ids without knowing the message errs on the safe side: an event that is newer than this
    process drops too much rather than too little.
    """
    texts = _UUID.findall(payload)
    for value in headers.values():
        texts += _UUID.findall(value.encode())
    return {UUID(text.decode()) for text in texts}


def changed_ids(subject: str, headers: Mapping[str, str], payload: bytes) -> set[UUID]:
    """Answers the ids of those whose rights an event of enterprise may have changed.

    What the event declares by the option `rights_of`; else, and where one of these fields is empty, every id
    that it names, the enterprise's too. So the appointment of one does not make all of them ask anew.
    """
    if subject.endswith(AUDITED):
        return set()
    kind, fields = _declared().get(subject, (None, ()))
    if kind is None:
        return named_ids(headers, payload)
    try:
        event = kind.FromString(payload)
        return {UUID(getattr(event, name)) for name in fields}
    except (DecodeError, ValueError):
        return named_ids(headers, payload)


@cache
def _declared() -> dict[str, tuple[type[Message], tuple[str, ...]]]:
    """Answers by subject the events that declare whose rights they change, and the fields that name them."""
    found = {}
    for descriptor in events_pb2.DESCRIPTOR.message_types_by_name.values():
        declared = descriptor.GetOptions().Extensions
        fields = tuple(declared[options.rights_of])
        if fields:
            subject = f"{descriptor.file.package}.{declared[options.subject]}"
            found[subject] = (GetMessageClass(descriptor), fields)
    return found

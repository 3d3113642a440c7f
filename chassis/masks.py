"""Partial updates, after Google's AIP-134: which fields of a resource a request changes."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from chassis.errors import InvalidArgument


class UpdateMaskInvalid(InvalidArgument):
    """The mask names a field that does not exist or cannot be changed, or nothing at all."""

    reason = "UPDATE_MASK_INVALID"


def changes(resource: Message, update_mask: FieldMask, *, allowed: Collection[str]) -> dict[str, Any]:
    """Answers the new value of each field that the mask names, by field name.

    `allowed` are the fields that may be changed, top level only. Without a mask, the allowed fields that
    are set in the resource change; "*" means all of the allowed ones. A message field that is named and
    not set answers None. Raises UpdateMaskInvalid naming the paths, also when nothing is to change.
    """
    paths = list(dict.fromkeys(update_mask.paths))
    if not paths:
        paths = [field.name for field, _ in resource.ListFields() if field.name in allowed]
    elif paths == ["*"]:
        paths = [field.name for field in resource.DESCRIPTOR.fields if field.name in allowed]
    unknown = [path for path in paths if path not in allowed]
    if unknown:
        raise UpdateMaskInvalid(
            "The mask names fields that cannot be changed.", field="update_mask", paths=", ".join(unknown)
        )
    if not paths:
        raise UpdateMaskInvalid("The request changes nothing.", field="update_mask")
    return {path: _value(resource, path) for path in paths}


def _value(resource: Message, path: str) -> Any:
    field = resource.DESCRIPTOR.fields_by_name[path]
    if field.has_presence and not resource.HasField(path):
        return None
    return getattr(resource, path)

"""An update mask says what changes, and can name nothing else than what may."""

from __future__ import annotations

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from chassis.masks import UpdateMaskInvalid, changes
from tests.chassis.playing import pb

ALLOWED = ("text", "place", "note")


def test_the_named_fields_change_also_to_their_defaults() -> None:
    resource = pb.Text(text="", page_size=3)
    assert changes(resource, FieldMask(paths=["text"]), allowed=ALLOWED) == {"text": ""}


def test_without_a_mask_what_is_set_and_allowed_changes() -> None:
    resource = pb.Text(text="a", page_size=3)
    assert changes(resource, FieldMask(), allowed=ALLOWED) == {"text": "a"}


def test_a_star_means_all_that_is_allowed() -> None:
    assert changes(pb.Text(text="a"), FieldMask(paths=["*"]), allowed=ALLOWED) == {
        "text": "a",
        "place": None,
        "note": None,
    }


def test_a_field_with_presence_that_is_named_and_not_set_is_cleared() -> None:
    assert changes(pb.Text(note=""), FieldMask(paths=["place", "note"]), allowed=ALLOWED) == {
        "place": None,
        "note": "",
    }


@pytest.mark.parametrize("path", ["page_size", "nothing", "place.team_id", "*.text", ""])
def test_a_field_that_may_not_change_is_refused_and_named(path: str) -> None:
    with pytest.raises(UpdateMaskInvalid) as caught:
        changes(pb.Text(text="a"), FieldMask(paths=["text", path]), allowed=ALLOWED)
    assert caught.value.metadata["paths"] == path


def test_a_request_that_changes_nothing_is_refused() -> None:
    with pytest.raises(UpdateMaskInvalid):
        changes(pb.Text(page_size=3), FieldMask(), allowed=ALLOWED)

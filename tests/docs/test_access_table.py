"""The published table of who may call what is the one that the contracts say."""

from __future__ import annotations

from google.api import annotations_pb2

from protos.access import PAGE, page, read
from wrtn.access.v1.access_pb2 import rule


def test_the_page_is_what_the_contracts_say() -> None:
    assert PAGE.read_text() == page(read()), "run `make access` and commit docs/access.md"


def test_every_method_stands_in_the_page_with_its_sentence() -> None:
    written = PAGE.read_text()
    methods = [each for file in read().file for service in file.service for each in service.method]
    assert methods
    for method in methods:
        assert f"| {method.name} | " in written
        assert method.options.Extensions[rule].decided in written


def test_all_of_identity_but_what_its_peers_ask_is_reached_by_rest() -> None:
    files = [each for each in read().file if each.package == "wrtn.identity.v1"]
    methods = [method for file in files for service in file.service for method in service.method]
    assert methods
    inside = [each for each in methods if not each.options.HasExtension(annotations_pb2.http)]
    assert [each.name for each in inside if not each.options.Extensions[rule].peer] == []

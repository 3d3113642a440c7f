"""The published table of who may call what is the one that the contracts say."""

from __future__ import annotations

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

"""Path templates and which of them wins."""

from __future__ import annotations

import pytest

from gateway.router import Router
from gateway.template import TemplateError, parse


def values(template: str, path: str) -> dict[str, str] | None:
    router: Router[str] = Router()
    parsed = parse(template)
    router.add("GET", parsed, template)
    match = router.find("GET", path)
    return {each.path: each.value(match.segments) for each in parsed.variables} if match else None


@pytest.mark.parametrize(
    ("template", "path", "expected"),
    [
        ("/v1/books/{id}", "/v1/books/7", {"id": "7"}),
        ("/v1/books/{id}", "/v1/books/a%2Fb", {"id": "a/b"}),
        ("/v1/books/{id}", "/v1/books/%C3%A9t%C3%A9", {"id": "été"}),
        ("/v1/books/{id}", "/v1/books/", None),
        ("/v1/books/{id}", "/v1/books/7/", None),
        ("/v1/books/{id}", "/v1/books/7/8", None),
        ("/v1/{name=shelves/*/books/*}", "/v1/shelves/1/books/2", {"name": "shelves/1/books/2"}),
        (
            "/v1/{name=shelves/*/books/*}",
            "/v1/shelves/a%2Fb/books/c%20d",
            {"name": "shelves/a%2Fb/books/c d"},
        ),
        ("/v1/{name=shelves/*}/books", "/v1/shelves/1/books", {"name": "shelves/1"}),
        ("/v1/{name=files/**}", "/v1/files/a/b/c", {"name": "files/a/b/c"}),
        ("/v1/{name=files/**}", "/v1/files", {"name": "files"}),
        ("/v1/{name=files/**}:read", "/v1/files/a/b:read", {"name": "files/a/b"}),
        ("/v1/{name=files/**}", "/v1/files//b", None),
        ("/v1/*/books/{id}", "/v1/anything/books/7", {"id": "7"}),
        ("/v1/books/{id}:lend", "/v1/books/7:lend", {"id": "7"}),
        ("/v1/books/{id}:lend", "/v1/books/7", None),
        ("/v1/books/{id}", "/v1/books/a:b", {"id": "a:b"}),
        ("/v1/a%20b/{id}", "/v1/x/7", None),
        ("/v1/{a.b}/{c}", "/v1/1/2", {"a.b": "1", "c": "2"}),
    ],
)
def test_a_template_matches_and_decodes(template: str, path: str, expected: dict[str, str] | None) -> None:
    assert values(template, path) == expected


@pytest.mark.parametrize(
    "text", ["v1", "/", "/v1//x", "/v1/{", "/v1/{a}b", "/v1/**/x", "/v1/{a=**}/x", "/v1/{a=b//c}"]
)
def test_a_template_outside_the_grammar_is_refused(text: str) -> None:
    with pytest.raises(TemplateError):
        parse(text)


def router_of(*templates: str) -> Router[str]:
    router: Router[str] = Router()
    for each in templates:
        method, _, text = each.partition(" ")
        router.add(method, parse(text), each)
    return router


@pytest.mark.parametrize("order", [1, -1])
def test_a_literal_goes_before_a_wildcard_in_whatever_order_they_are_added(order: int) -> None:
    router = router_of(
        *["GET /v1/books/{id}", "GET /v1/books/new", "GET /v1/{rest=**}", "GET /v1/*/new"][::order]
    )
    found = [
        router.find("GET", path) for path in ("/v1/books/new", "/v1/books/7", "/v1/pens/new", "/v1/a/b/c")
    ]
    assert [match.found for match in found if match] == [
        "GET /v1/books/new",
        "GET /v1/books/{id}",
        "GET /v1/*/new",
        "GET /v1/{rest=**}",
    ]


def test_a_literal_bound_to_another_method_does_not_hide_a_wildcard() -> None:
    router = router_of("POST /v1/books/new", "GET /v1/books/{id}")
    match = router.find("GET", "/v1/books/new")
    assert match is not None
    assert match.found == "GET /v1/books/{id}"


def test_a_custom_verb_goes_before_a_value_with_a_colon() -> None:
    router = router_of("GET /v1/books/{id}", "GET /v1/books/{id}:read")
    found = [router.find("GET", f"/v1/books/7:{verb}") for verb in ("read", "other")]
    assert [match.found for match in found if match] == ["GET /v1/books/{id}:read", "GET /v1/books/{id}"]


def test_a_path_of_other_methods_names_them() -> None:
    match = router_of("GET /v1/a", "PUT /v1/a", "POST /v1/*").find("DELETE", "/v1/a")
    assert match is not None
    assert match.found is None
    assert match.allowed == {"GET", "PUT", "POST"}


def test_an_encoded_literal_matches_but_an_encoded_slash_separates_nothing() -> None:
    router = router_of("GET /v1/books")
    assert router.find("GET", "/v1/b%6Foks") is not None
    assert router.find("GET", "/v1%2Fbooks") is None

"""What the README says of paths, queries and bodies, through a real backend."""

from __future__ import annotations

import httpx

from tests.gateway.library import Library


async def test_a_path_variable_fills_its_field(client: httpx.AsyncClient, library: Library) -> None:
    response = await client.get("/v1/books/b1")
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.json() == {
        "id": "b1", "title": "Emma", "copies": "7", "accepted_prediction": 3, "kind": "KIND_NOVEL",
    }  # fmt: skip

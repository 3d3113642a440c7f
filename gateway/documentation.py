"""The OpenAPI document and a page that shows it, whose scripts come from an installed package.

The Swagger UI that `swagger-ui-py` carries is served as files; that package itself is not imported.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from importlib.metadata import distribution
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from gateway.exchange import SECURITY
from gateway.openapi.document import document
from gateway.schema import Binding, Schema
from gateway.settings import Settings

ASSETS = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "favicon-32x32.png": "image/png",
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_SCRIPT = """window.addEventListener("load", () => {
  window.ui = SwaggerUIBundle({
    url: "/openapi.json", dom_id: "#docs", deepLinking: true, displayRequestDuration: true,
    docExpansion: "none",
  });
});
"""
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>%s</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="/docs/swagger-ui.css"><link rel="icon" href="/docs/favicon-32x32.png">
<script src="/docs/swagger-ui-bundle.js"></script><script src="/docs/start.js"></script>
</head><body><div id="docs"></div></body></html>
"""


def routes(schema: Schema, bindings: Sequence[Binding], settings: Settings) -> list[Route]:
    """Answers the routes of the document and of the page; the document is written once, now."""
    body = json.dumps(document(schema, bindings, settings.title), ensure_ascii=False).encode()
    etag = f'"{hashlib.blake2b(body, digest_size=8).hexdigest()}"'
    folder = Path(str(distribution("swagger-ui-py").locate_file("swagger_ui/static")))
    title = settings.title.replace("&", "&amp;").replace("<", "&lt;")

    async def openapi(request: Request) -> Response:
        headers = _headers("no-cache") | {"etag": etag}
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers=headers)
        return Response(body, media_type="application/json", headers=headers)

    async def page(_: Request) -> Response:
        return Response(_PAGE % title, media_type="text/html", headers=_headers("no-cache"))

    async def script(_: Request) -> Response:
        return Response(_SCRIPT, media_type="text/javascript", headers=_headers("max-age=3600"))

    async def asset(request: Request) -> Response:
        name = request.url.path.rpartition("/")[2]
        return FileResponse(folder / name, media_type=ASSETS[name], headers=_headers("max-age=3600"))

    own = [Route("/openapi.json", openapi), Route("/docs", page), Route("/docs/start.js", script)]
    return own + [Route(f"/docs/{name}", asset) for name in ASSETS]


def _headers(cache: str) -> dict[str, str]:
    standing = {name.decode(): value.decode() for name, value in SECURITY}
    return standing | {"content-security-policy": _POLICY, "cache-control": cache}

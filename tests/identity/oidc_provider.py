"""An OpenID provider on the loopback that keeps the rules, PKCE too, and forges what a test tells it to."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

from chassis.clock import Clock
from tests.identity.service import MovableClock

CLIENT_ID = "wrtn & co"
CLIENT_SECRET = "the client's secret: 100%"


@dataclass(frozen=True)
class Granted:
    """A code that waits to be redeemed."""

    challenge: str
    redirect_uri: str
    claims: dict[str, Any]


@dataclass
class Provider:
    """The provider. `changes` go over the claims of each ID token; None leaves a claim out."""

    clock: Clock
    port: int = 0
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "one"}, auto_kid=True))
    changes: dict[str, Any] = field(default_factory=dict)
    signed: Callable[[dict[str, Any]], str] | None = None
    """Signs otherwise than it should."""
    configuration: dict[str, Any] = field(default_factory=dict)
    granted: dict[str, Granted] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    family: str = ""
    """What each subject begins with, so that those of one test are not those of another."""

    def renew(self) -> None:
        """Forges nothing any more, and knows other people."""
        self.changes, self.signed, self.family = {}, None, self.clock.secret(6)
        self.asked.clear()

    @property
    def issuer(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def authorize(
        self,
        url: str,
        subject: str,
        email: str = "",
        *,
        verified: bool | None = True,
        name: str = "Mina Park",
    ) -> tuple[str, str]:
        """Signs a person in who was sent to this URL; answers the code and the state they come back with."""
        query = {key: values[0] for key, values in parse_qs(urlsplit(url).query).items()}
        assert url.startswith(f"{self.issuer}/authorize?")
        assert (query["client_id"], query["response_type"]) == (CLIENT_ID, "code")
        assert query["code_challenge_method"] == "S256"
        claims = {"sub": self.family + subject, "email": email, "name": "Mina Park", "nonce": query["nonce"]}
        if verified is not None:
            claims["email_verified"] = verified  # type: ignore[assignment]
        code = self.clock.secret(16)
        self.granted[code] = Granted(query["code_challenge"], query["redirect_uri"], claims)
        return code, query["state"]

    def sign(self, claims: dict[str, Any]) -> str:
        """Signs as it should."""
        return jwt.encode({"alg": "RS256", "kid": self.key.kid}, claims, self.key)

    def claims(self, granted: Granted) -> dict[str, Any]:
        """Answers the claims of an ID token."""
        now = int(self.clock.now().timestamp())
        found = {"iss": self.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 300, **granted.claims}
        return {key: value for key, value in (found | self.changes).items() if value is not None}

    def answer(self, path: str, headers: dict[str, str], body: str) -> tuple[int, Any]:
        """Answers a request."""
        self.asked.append(path)
        path = path.removeprefix("/common/v2.0")
        if path == "/.well-known/openid-configuration":
            found = {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/jwks",
            }
            return 200, found | self.configuration
        if path == "/jwks":
            return 200, {"keys": [self.key.as_dict(private=False)]}
        return self._token(headers, {key: values[0] for key, values in parse_qs(body).items()})

    def _token(self, headers: dict[str, str], form: dict[str, str]) -> tuple[int, Any]:
        basic = base64.b64decode(headers.get("authorization", "").removeprefix("Basic ")).decode()
        if basic != "wrtn%20%26%20co:the%20client%27s%20secret%3A%20100%25":
            return 401, {"error": "invalid_client"}
        granted = self.granted.pop(form["code"], None)
        verifier = hashlib.sha256(form["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(verifier).decode().rstrip("=")
        if granted is None or (granted.challenge, granted.redirect_uri) != (challenge, form["redirect_uri"]):
            return 400, {"error": "invalid_grant"}
        return 200, {"token_type": "Bearer", "id_token": (self.signed or self.sign)(self.claims(granted))}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serves one connection with one request."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:])}
        body = (await reader.readexactly(int(headers.get("content-length", "0")))).decode()
        status, found = self.answer(head[0].split()[1], headers, body)
        answer = json.dumps(found).encode()
        writer.write(b"HTTP/1.1 %d x\r\nContent-Length: %d\r\n\r\n" % (status, len(answer)) + answer)
        await writer.drain()
        writer.close()


@asynccontextmanager
async def provider(clock: MovableClock) -> AsyncIterator[Provider]:
    """Serves a provider on a free port of the loopback."""
    made = Provider(clock)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    async with server:
        yield made

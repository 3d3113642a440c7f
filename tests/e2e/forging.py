"""Tokens that look like credentials of the suite and are none."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import uuid
from collections.abc import Iterator, Mapping

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from wrtn.identity.v1.auth_pb2 import Jwks


def unsigned(kind: str, issuer: str) -> str:
    """Forges a token without a signature (alg none)."""
    ids = {name: str(uuid.uuid4()) for name in ("sub", "login", "account")}
    claims = {"iss": issuer, "aud": "wrtn", "kind": "member", "exp": 4_000_000_000, **ids}
    return f"{encoded({'alg': 'none', 'typ': kind})}.{encoded(claims)}."


def altered(token: str, jwks: bytes) -> dict[str, str]:
    """Answers what one makes of a real access token without the key, by how."""
    kind = "service" if read(token.split(".")[1])["kind"] == "service" else "member"
    return {f"{how}, of a {kind}": forged for how, forged in _altered(token, jwks)}


def _altered(token: str, jwks: bytes) -> Iterator[tuple[str, str]]:
    first, claims, signature = token.split(".")
    header = read(first)
    key = next(each for each in Jwks.FromString(jwks).keys if each.kid == header["kid"])
    yield "no signature", f"{first}.{claims}."
    yield "another signature", f"{first}.{claims}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"
    longer = encoded(read(claims) | {"exp": 4_000_000_000})
    yield "a longer life", f"{first}.{longer}.{signature}"
    somebody = encoded(read(claims) | {"sub": str(uuid.uuid4())})
    yield "another subject", f"{first}.{somebody}.{signature}"
    for name, value in {"alg": "none", "typ": "peer+jwt", "kid": "another"}.items():
        yield f"{name} {value}", f"{encoded(header | {name: value})}.{claims}.{signature}"
    yield "alg none without signature", f"{encoded(header | {'alg': 'none'})}.{claims}."
    # Algorithm confusion: the public key, in either spelling, taken for a shared secret.
    for secret in (key.x.encode(), bytes_of(key.x)):
        text = f"{encoded(header | {'alg': 'HS256'})}.{claims}"
        mac = hmac.digest(secret, text.encode(), hashlib.sha256)
        yield f"HS256 by a public key of {len(secret)} bytes", f"{text}.{text_of(mac)}"
    own = Ed25519PrivateKey.generate()
    yield "a key of one's own", f"{first}.{claims}.{text_of(own.sign(f'{first}.{claims}'.encode()))}"
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": text_of(own.public_key().public_bytes_raw())}
    text = f"{encoded(header | {'jwk': jwk})}.{claims}"
    yield "a key of one's own in the header", f"{text}.{text_of(own.sign(text.encode()))}"


def read(part: str) -> dict[str, object]:
    """Decodes the header or the claims of a token."""
    found: dict[str, object] = json.loads(bytes_of(part))
    return found


def encoded(part: Mapping[str, object]) -> str:
    """Encodes the header or the claims of a token."""
    return text_of(json.dumps(part).encode())


def bytes_of(text: str) -> bytes:
    """Decodes base64url without padding."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def text_of(data: bytes) -> str:
    """Encodes as base64url without padding."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")

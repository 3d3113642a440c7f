"""Access tokens (RFC 9068): what identity signs, and how every service verifies them for itself.

A token says which member, login and acting account, or which service credential; rights are not in it.
"""

from __future__ import annotations

import base64
import json
import warnings
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NoReturn
from uuid import UUID

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from chassis.clock import Clock
from chassis.errors import Unauthenticated
from wrtn.identity.v1.auth_pb2 import Jwks

ISSUER = "wrtn.identity"
AUDIENCE = "wrtn"
TYPE = "at+jwt"
"""The header `typ` (RFC 9068): no other kind of token passes for an access token."""
ALGORITHM = "EdDSA"
LIFETIME = timedelta(minutes=15)
MEMBER = "member"
SERVICE = "service"
"""The values of the claim `kind`."""

LONGEST = 4096
"""Characters of a token; longer ones are refused unread."""

_SKEW = 5
"""Seconds that the clocks of two machines may differ."""

JwksSource = Callable[[], Awaitable[Jwks]]


class TokenRefused(Unauthenticated):
    """The credential is malformed, forged, expired, or meant for something else. It does not say which."""

    reason = "TOKEN_REFUSED"


@dataclass(frozen=True, slots=True)
class AccessToken:
    """What an access token says. The ids of a member's token, or the credential's id."""

    member_id: UUID | None = None
    login_id: UUID | None = None
    account_id: UUID | None = None
    credential_id: UUID | None = None

    def claims(self) -> dict[str, str]:
        """Answers the private claims and the subject."""
        if self.credential_id is not None:
            return {"kind": SERVICE, "sub": str(self.credential_id)}
        return {
            "kind": MEMBER,
            "sub": str(self.member_id),
            "login": str(self.login_id),
            "account": str(self.account_id),
        }

    @classmethod
    def of(cls, claims: Mapping[str, Any]) -> AccessToken:
        """Reads the claims; raises KeyError, ValueError or AttributeError for what identity never signs."""
        if claims["kind"] == SERVICE:
            return cls(credential_id=UUID(claims["sub"]))
        if claims["kind"] != MEMBER:
            raise ValueError("unknown kind of token")
        return cls(
            member_id=UUID(claims["sub"]), login_id=UUID(claims["login"]), account_id=UUID(claims["account"])
        )


@dataclass(frozen=True, slots=True)
class Verified:
    """A verified token, and until when it is good, in seconds since 1970."""

    token: AccessToken
    expires: float


def issue(token: AccessToken, key: OKPKey, kid: str, clock: Clock, lifetime: timedelta = LIFETIME) -> str:
    """Signs an access token with identity's Ed25519 key, which the JWKS names by `kid`."""
    now = int(clock.now().timestamp())
    claims = token.claims() | {"iss": ISSUER, "aud": AUDIENCE, "iat": now, "jti": str(clock.new_id())}
    return sign({"typ": TYPE, "kid": kid}, claims | {"exp": now + int(lifetime.total_seconds())}, key)


def verify(text: str, key: OKPKey, clock: Clock) -> Verified:
    """Verifies signature, kind, issuer, audience and times; raises TokenRefused."""
    claims = checked(text, key, clock, kind=TYPE, issuer=ISSUER, audience=AUDIENCE)
    try:
        return Verified(AccessToken.of(claims), float(claims["exp"]))
    except (KeyError, ValueError, AttributeError, TypeError) as error:
        raise TokenRefused("The access token is not valid.") from error


def sign(header: Mapping[str, str], claims: dict[str, Any], key: OKPKey) -> str:
    """Signs a compact JWS of the one algorithm that is used here."""
    with _algorithm_accepted():
        return jwt.encode({**header, "alg": ALGORITHM}, claims, key, algorithms=[ALGORITHM])


def checked(
    text: str, key: OKPKey, clock: Clock, *, kind: str, issuer: str, audience: str
) -> Mapping[str, Any]:
    """Answers the claims if the token is of this kind, issuer and audience, and good; raises TokenRefused."""
    rules = jwt.JWTClaimsRegistry(
        now=int(clock.now().timestamp()),
        leeway=_SKEW,
        iss={"essential": True, "value": issuer},
        aud={"essential": True, "value": audience},
        exp={"essential": True},
        sub={"essential": False},
    )
    try:
        with _algorithm_accepted():
            token = jwt.decode(text, key, algorithms=[ALGORITHM])
        if token.header.get("typ") != kind:
            refuse()
        rules.validate(token.claims)
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise TokenRefused("The access token is not valid.") from error
    return token.claims


def header_of(text: str) -> Mapping[str, Any]:
    """Reads the header, of which nothing is proven yet, to find the kind and the key; raises TokenRefused."""
    if len(text) > LONGEST or text.count(".") != 2:
        refuse()
    encoded = text.partition(".")[0]
    try:
        header = json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
    except ValueError as error:
        raise TokenRefused("The access token is not valid.") from error
    if not isinstance(header, dict):
        refuse()
    return header


def refuse() -> NoReturn:
    """Raises the one answer for every bad token."""
    raise TokenRefused("The access token is not valid.")


@contextmanager
def _algorithm_accepted() -> Iterator[None]:
    """Keeps joserfc from warning that RFC 9864 names the algorithm Ed25519: verifiers outside know EdDSA."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "EdDSA is deprecated")
        yield

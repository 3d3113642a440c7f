"""The authorization code flow with PKCE (RFC 7636, S256), as the client of a provider."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import structlog
from joserfc import jwt
from joserfc.errors import JoseError

from chassis.clock import Clock
from chassis.outbound import Outbound, OutboundFailed, OutboundRefused
from services.identity.errors import FederatedSignInRefused, ProviderUnavailable
from services.identity.federation.oidc.discovery import Discovery, Metadata, issuer_of
from services.identity.federation.oidc.providers import Provider

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384"]
"""What an ID token may be signed with: signatures by a private key alone, so neither none nor HMAC."""
_SCOPES = "openid email profile"
_SKEW = 60
"""Seconds that a provider's clock may differ from ours."""
_SECONDS = 10.0
_LONGEST_SUBJECT = 255

_log = structlog.get_logger("identity.oidc")


@dataclass(frozen=True, slots=True)
class Secrets:
    """What only who began the flow can know, derived from their binding: nothing of it is kept here."""

    binding: str
    state: str

    @property
    def nonce(self) -> str:
        """Is to come back in the ID token."""
        return self._derived("nonce")

    @property
    def verifier(self) -> str:
        """Proves to the provider that who redeems the code is who asked for it."""
        return self._derived("verifier")

    @property
    def challenge(self) -> str:
        """What the provider is told of the verifier before."""
        return _encoded(hashlib.sha256(self.verifier.encode()).digest())

    def _derived(self, purpose: str) -> str:
        return _encoded(hmac.digest(self.binding.encode(), f"{purpose} {self.state}".encode(), "sha256"))


@dataclass(frozen=True, slots=True)
class Asserted:
    """What a provider says of who signed in."""

    issuer: str
    subject: str
    email: str
    email_verified: bool
    name: str


class Client:
    """Speaks with providers. Those of enterprises are asked through a guard, which lets nothing inside."""

    def __init__(self, own: Outbound, guarded: Outbound, clock: Clock) -> None:
        self._own = own
        self._guarded = guarded
        self._own_discovery = Discovery(own)
        self._guarded_discovery = Discovery(guarded)
        self._clock = clock

    def discovery(self, provider: Provider) -> Discovery:
        """Answers where the provider's configuration is found."""
        return self._own_discovery if provider.tenant_id is None else self._guarded_discovery

    async def authorization_url(self, provider: Provider, redirect_uri: str, secrets: Secrets) -> str:
        """Answers where to send the person; raises ProviderUnavailable."""
        metadata = await self._metadata(provider)
        query = {
            "response_type": "code",
            "client_id": provider.client_id,
            "redirect_uri": redirect_uri,
            "scope": _SCOPES,
            "state": secrets.state,
            "nonce": secrets.nonce,
            "code_challenge": secrets.challenge,
            "code_challenge_method": "S256",
        }
        joint = "&" if "?" in metadata.authorization_endpoint else "?"
        return metadata.authorization_endpoint + joint + urlencode(query)

    async def redeem(self, provider: Provider, code: str, redirect_uri: str, secrets: Secrets) -> Asserted:
        """Exchanges a code for what the provider asserts.

        Raises FederatedSignInRefused for a code or an ID token that is not good, ProviderUnavailable.
        """
        metadata = await self._metadata(provider)
        id_token = await self._id_token(provider, metadata, code, redirect_uri, secrets)
        claims = await self._verified(provider, metadata, id_token, secrets.nonce)
        verified = (claims.get("email_verified"), claims.get("xms_edov"))
        return Asserted(
            issuer=str(claims["iss"]),
            subject=claims["sub"],
            email=_text(claims, "email"),
            # Microsoft tells by `xms_edov` that the domain's owner was verified; some tell by a text.
            email_verified=any(each in (True, "true", 1, "1") for each in verified),
            name=_text(claims, "name"),
        )

    async def _metadata(self, provider: Provider) -> Metadata:
        try:
            return await self.discovery(provider).metadata(provider.issuer)
        except OutboundRefused as error:
            raise _unavailable(error) from error

    async def _id_token(
        self, provider: Provider, metadata: Metadata, code: str, redirect_uri: str, secrets: Secrets
    ) -> str:
        body = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": secrets.verifier,
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        if metadata.basic:
            pair = f"{quote(provider.client_id, safe='')}:{quote(provider.client_secret, safe='')}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        else:
            body |= {"client_id": provider.client_id, "client_secret": provider.client_secret}
        outbound = self._own if provider.tenant_id is None else self._guarded
        try:
            answer = await outbound.request(
                "POST",
                metadata.token_endpoint,
                headers=headers,
                content=urlencode(body).encode(),
                seconds=_SECONDS,
            )
            found = json.loads(answer.body)
        except (OutboundFailed, OutboundRefused, ValueError, RecursionError) as error:
            raise _unavailable(error) from error
        if answer.status >= 500:
            raise _unavailable(answer.status)
        if answer.status != 200 or not isinstance(found, dict) or not isinstance(found.get("id_token"), str):
            raise refused("the code was not redeemed")
        return str(found["id_token"])

    async def _verified(
        self, provider: Provider, metadata: Metadata, id_token: str, nonce: str
    ) -> Mapping[str, Any]:
        """Verifies an ID token (OpenID Connect Core 1.0, 3.1.3.7)."""
        try:
            kid = _header(id_token).get("kid")
            keys = await self.discovery(provider).keys(metadata.jwks_uri, kid)
            token = jwt.decode(id_token, keys, algorithms=ALGORITHMS)
            rules = jwt.JWTClaimsRegistry(
                now=int(self._clock.now().timestamp()),
                leeway=_SKEW,
                iss={"essential": True, "value": issuer_of(metadata, token.claims)},
                aud={"essential": True, "value": provider.client_id},
                exp={"essential": True},
                iat={"essential": True},
                sub={"essential": True},
                nonce={"essential": True, "value": nonce},
            )
            rules.validate(token.claims)
        except OutboundRefused as error:
            raise _unavailable(error) from error
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise refused(repr(error)) from error
        _check_party(token.claims, provider.client_id)
        return token.claims


def refused(why: str) -> FederatedSignInRefused:
    """Answers the one refusal for whatever is wrong with a state, a code or an ID token."""
    _log.info("a federated sign-in was refused", why=why)
    return FederatedSignInRefused("The sign-in is not valid or no longer; begin it again.")


def _check_party(claims: Mapping[str, Any], client_id: str) -> None:
    """Refuses a token that was made for another client as well, unless it is this one that asked for it."""
    audience, party = claims["aud"], claims.get("azp")
    several = isinstance(audience, list) and len(audience) > 1
    if (several and party is None) or (party is not None and party != client_id):
        raise refused("the token is another client's")
    if not isinstance(claims["sub"], str) or not 0 < len(claims["sub"]) <= _LONGEST_SUBJECT:
        raise refused("the subject is none")


def _header(text: str) -> Mapping[str, Any]:
    """Reads the header of a token, of which nothing is proven yet; raises ValueError."""
    encoded = text.partition(".")[0]
    found = json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
    if not isinstance(found, dict):
        raise TypeError("a header that is no object")
    return found


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    return value if isinstance(value, str) else ""


def _encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def _unavailable(why: object) -> ProviderUnavailable:
    _log.warning("an OpenID provider cannot be asked", why=repr(why))
    return ProviderUnavailable("The provider does not answer as it should; try again.", retry_after=5)

"""What a provider publishes about itself: its endpoints, and the keys that verify its ID tokens."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from chassis.outbound import Outbound, OutboundFailed
from services.identity.errors import ProviderUnavailable

AGE = 3600.0
"""Seconds for which a configuration or a key set is used unasked."""
PAUSE = 10.0
"""Seconds between two questions for keys, however many tokens name unknown ones."""
_SECONDS = 10.0
_MOST_BYTES = 256 * 1024
_MOST_KEPT = 1000
_PATH = "/.well-known/openid-configuration"
_ANY_TENANT = "{tenantid}"

_log = structlog.get_logger("identity.oidc")


@dataclass(frozen=True, slots=True)
class Metadata:
    """A provider's configuration (OpenID Connect Discovery 1.0), as far as it is used."""

    issuer: str
    """As ID tokens name it. Microsoft's stands for every tenant, by `{tenantid}`."""
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    basic: bool
    """Whether the client's secret goes into the Authorization header, as by default, or into the body."""


class Discovery:
    """Fetches and keeps configurations and keys. It asks through `outbound`, which guards what it asks."""

    def __init__(self, outbound: Outbound) -> None:
        self._outbound = outbound
        self._metadata: dict[str, tuple[float, Metadata]] = {}
        self._keys: dict[str, tuple[float, KeySet]] = {}

    async def metadata(self, issuer: str, *, fresh: bool = False) -> Metadata:
        """Answers the configuration of an issuer.

        Raises ProviderUnavailable if it cannot be had or is another issuer's, OutboundRefused for an address
        that may not be asked.
        """
        kept = self._metadata.get(issuer)
        if kept is None or fresh or time.monotonic() - kept[0] > AGE:
            kept = (time.monotonic(), _metadata(issuer, await self._json(issuer + _PATH)))
            _keep(self._metadata, issuer, kept)
        return kept[1]

    async def keys(self, uri: str, kid: object) -> KeySet:
        """Answers the keys of a provider, asked for anew if none has this id; raises ProviderUnavailable."""
        kept = self._keys.get(uri)
        old = kept is None or time.monotonic() - kept[0] > AGE
        unknown = kept is not None and not any(each.kid == kid for each in kept[1].keys)
        if kept is None or old or (unknown and time.monotonic() - kept[0] > PAUSE):
            try:
                found = KeySet.import_key_set(_key_set(await self._json(uri)))
            except (JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
                raise _unavailable("the keys cannot be read", uri) from error
            kept = (time.monotonic(), found)
            _keep(self._keys, uri, kept)
        return kept[1]

    async def _json(self, url: str) -> Mapping[str, Any]:
        try:
            answer = await self._outbound.request(
                "GET",
                url,
                headers={"Accept": "application/json"},
                seconds=_SECONDS,
                most_bytes=_MOST_BYTES,
            )
            found = json.loads(answer.body) if answer.status == 200 and answer.complete else None
        except (OutboundFailed, ValueError, RecursionError) as error:
            raise _unavailable(repr(error), url) from error
        if not isinstance(found, dict):
            raise _unavailable(f"status {answer.status}", url)
        return found


def issuer_of(metadata: Metadata, claims: Mapping[str, Any]) -> str:
    """Answers the issuer that an ID token must name: of a template, the one for the tenant it names."""
    tenant = claims.get("tid")
    return metadata.issuer.replace(_ANY_TENANT, tenant) if isinstance(tenant, str) else metadata.issuer


def _metadata(issuer: str, found: Mapping[str, Any]) -> Metadata:
    named = str(found.get("issuer", "")).rstrip("/")
    # Microsoft's issuers for several tenants are the ones that name another than where they are found.
    templates = {issuer.replace(f"/{each}/", f"/{_ANY_TENANT}/") for each in ("common", "organizations")}
    if named not in {issuer, *templates}:
        raise _unavailable("the configuration is another issuer's", issuer)
    methods = found.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
    try:
        # The issuer as it writes itself, with a slash at its end or without: ID tokens name it so.
        return Metadata(
            issuer=str(found["issuer"]),
            authorization_endpoint=str(found["authorization_endpoint"]),
            token_endpoint=str(found["token_endpoint"]),
            jwks_uri=str(found["jwks_uri"]),
            basic="client_secret_basic" in methods,
        )
    except KeyError as error:
        raise _unavailable("an endpoint is missing", issuer) from error


def _key_set(found: Mapping[str, Any]) -> Any:
    """Leaves out keys that are not for signatures, and kinds that sign nothing here."""
    keys = [
        each
        for each in found["keys"]
        if each.get("use", "sig") == "sig" and each.get("kty") in ("RSA", "EC", "OKP")
    ]
    return {"keys": keys}


def _keep(kept: dict[str, tuple[float, Any]], name: str, value: tuple[float, Any]) -> None:
    kept.pop(name, None)
    kept[name] = value
    if len(kept) > _MOST_KEPT:
        del kept[next(iter(kept))]


def _unavailable(why: str, url: str) -> ProviderUnavailable:
    _log.warning("an OpenID provider does not answer as it should", why=why, url=url)
    return ProviderUnavailable("The provider does not answer as it should; try again.", retry_after=5)

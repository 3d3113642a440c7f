"""Identity's public keys, fetched when first needed and again when a token names an unknown one."""

from __future__ import annotations

import asyncio
import time

import grpc
import structlog
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from chassis.auth.tokens import JwksSource, refuse
from chassis.errors import DomainError, Unavailable
from wrtn.identity.v1.auth_pb2 import Jwks

_log = structlog.get_logger("chassis.auth")


class SigningKeys:
    """The JWKS of identity behind a cache.

    An unknown key id makes it ask again, at most every `pause` seconds; after `age` seconds it asks anyway,
    so that a withdrawn key ends. While identity does not answer, the keys at hand stay good.
    """

    def __init__(self, source: JwksSource, *, pause: float = 3, age: float = 300) -> None:
        self._source = source
        self._pause = pause
        self._age = age
        self._keys: dict[str, OKPKey] = {}
        self._asked = float("-inf")
        self._answered = float("-inf")
        self._asking = asyncio.Lock()

    async def key(self, kid: object) -> OKPKey:
        """Answers the key of this id; raises TokenRefused for an unknown one, Unavailable if none is had."""
        if not isinstance(kid, str):
            refuse()
        known = self._keys.get(kid)
        if known is None or time.monotonic() - self._answered > self._age:
            await self._ask()
            known = self._keys.get(kid)
        if known is None and not self._keys:
            raise Unavailable("Tokens cannot be verified at the moment.", retry_after=self._pause)
        return known or refuse()

    async def _ask(self) -> None:
        async with self._asking:
            if time.monotonic() - self._asked < self._pause:
                return
            self._asked = time.monotonic()
            try:
                self._keys = parsed(await self._source())
                self._answered = self._asked
            except (DomainError, grpc.RpcError, OSError) as error:
                _log.warning("the keys of identity cannot be had", error=repr(error))


def parsed(jwks: Jwks) -> dict[str, OKPKey]:
    """Answers the usable keys by their id; a key of another kind than Ed25519 is left out."""
    keys = {}
    for jwk in jwks.keys:
        if (jwk.kty, jwk.crv) != ("OKP", "Ed25519") or not jwk.kid:
            continue
        try:
            keys[jwk.kid] = OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": jwk.x})
        except (JoseError, ValueError):
            _log.warning("a key of identity cannot be read", kid=jwk.kid)
    return keys


def published(keys: dict[str, OKPKey]) -> Jwks:
    """Answers the set that publishes the public halves of these keys, in their order."""
    jwks = Jwks()
    for kid, key in keys.items():
        public = key.as_dict(private=False)
        jwks.keys.add(kty="OKP", crv="Ed25519", x=str(public["x"]), kid=kid, use="sig", alg="EdDSA")
    return jwks

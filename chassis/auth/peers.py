"""Peer tokens: how one service of the suite proves to another which one it is.

Each service has its own Ed25519 key and signs tokens of one minute for one target. The public keys of the
others come by settings, so no service needs another one to start.
"""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from chassis.auth.tokens import checked, refuse, sign
from chassis.clock import Clock
from chassis.settings import SettingsError

TYPE = "peer+jwt"
LIFETIME = timedelta(seconds=60)
_REUSED = 20.0
"""Seconds for which a signed token is used again, well below its life, so that signing costs nothing."""

_NAME = re.compile(r"[a-z][a-z0-9-]{0,40}")


class PeerSigner:
    """Signs this service's tokens for its peers."""

    def __init__(self, service: str, key_file: Path, clock: Clock) -> None:
        self._service = service
        self._key = _read_key(key_file, "WRTN_PEER_KEY_FILE")
        self._clock = clock
        self._signed: dict[str, tuple[float, str]] = {}

    def token(self, target: str) -> str:
        """Answers a token for the target service that is good for at least half a minute."""
        # By the clock that the token is judged by: a machine that slept, or whose time was set, signs anew.
        now = self._clock.now().timestamp()
        signed, token = self._signed.get(target, (0.0, ""))
        if not 0 <= now - signed < _REUSED:
            token = self._sign(target)
            self._signed[target] = (now, token)
        return token

    def _sign(self, target: str) -> str:
        now = int(self._clock.now().timestamp())
        claims = {
            "iss": self._service,
            "sub": self._service,
            "aud": target,
            "iat": now,
            "exp": now + int(LIFETIME.total_seconds()),
            "jti": str(self._clock.new_id()),
        }
        return sign({"typ": TYPE, "kid": self._service}, claims, self._key)


class PeerVerifier:
    """Verifies the tokens of peers for this service, by the public keys `<service>.pem` of a folder."""

    def __init__(self, service: str, keys_dir: Path, clock: Clock) -> None:
        self._service = service
        self._dir = keys_dir
        self._clock = clock
        self._keys: dict[str, OKPKey] = {}

    def verify(self, text: str, kid: object) -> tuple[str, float]:
        """Answers the calling service and until when its token is good; raises TokenRefused."""
        if not isinstance(kid, str) or not _NAME.fullmatch(kid):
            refuse()
        claims = checked(text, self._key(kid), self._clock, kind=TYPE, issuer=kid, audience=self._service)
        return kid, float(claims["exp"])

    def _key(self, name: str) -> OKPKey:
        """Reads a key when first asked for: a peer may be installed after this service started."""
        if name not in self._keys:
            path = self._dir / f"{name}.pem"
            if not path.is_file():
                refuse()
            self._keys[name] = _read_key(path, "WRTN_PEER_KEYS_DIR")
        return self._keys[name]


def _read_key(path: Path, setting: str) -> OKPKey:
    try:
        return OKPKey.import_key(path.read_bytes())
    except (OSError, JoseError, ValueError) as error:
        raise SettingsError([f"{setting}: {path.name} is not a readable Ed25519 key in PEM"]) from error

"""From the `authorization` metadata to a caller."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from chassis.access import policy
from chassis.access.principals import Bearer, Principals
from chassis.auth import api_keys, peers, tokens
from chassis.auth.keys import SigningKeys
from chassis.auth.peers import PeerVerifier
from chassis.call import ANONYMOUS, Caller, CallerKind
from chassis.clock import Clock
from chassis.errors import Unauthenticated

_MOST = 20_000
_BEARER = "bearer "


class PrincipalEnded(Unauthenticated):
    """The token is genuine, and its holder may not act any more: suspended, signed out or revoked.

    A well-formed API key that nobody has gets the same answer.
    """

    reason = "PRINCIPAL_ENDED"


@dataclass(frozen=True, slots=True)
class _Proof:
    """What a verified token proves until it expires: a principal to be resolved, or a peer.

    A key proves nothing of itself, so its end is for identity to say, each time it is resolved.
    """

    expires: float
    token: Bearer | None
    peer: Caller | None


class Authenticator:
    """Proves who calls. A verified token is remembered by its hash until it expires; rights are not."""

    def __init__(
        self, keys: SigningKeys, peer_verifier: PeerVerifier, principals: Principals, clock: Clock
    ) -> None:
        self._keys = keys
        self._peers = peer_verifier
        self._principals = principals
        self._clock = clock
        self._proofs: dict[bytes, _Proof] = {}

    def remembered(self, authorization: str | None) -> Caller | None:
        """Answers the caller when nothing has to be asked or verified; the way of nearly every call."""
        if authorization is None:
            return ANONYMOUS
        proof = self._proofs.get(sha256(authorization.encode()).digest())
        if proof is None or proof.expires <= self._clock.now().timestamp():
            return None
        return proof.peer if proof.token is None else self._principals.cached(proof.token)

    async def caller(self, authorization: str, *, any_sign_in: bool = False, fresh: bool = False) -> Caller:
        """Verifies the token and resolves its principal, if `fresh` past the cache.

        Raises TokenRefused or PrincipalEnded, unless `any_sign_in` the errors of chassis.access.policy, and
        Unavailable if identity does not answer: that is a no.
        """
        digest = sha256(authorization.encode()).digest()
        proof = self._proofs.get(digest)
        if proof is None or proof.expires <= self._clock.now().timestamp():
            proof = await self._prove(authorization)
        caller = proof.peer if proof.token is None else await self._principals.judge(proof.token, fresh=fresh)
        # A key that is nobody's is not remembered: anyone can make well-formed ones without end.
        if caller is not None or not isinstance(proof.token, api_keys.ApiKey):
            self._remember(digest, proof)
        if caller is None:
            raise PrincipalEnded("The login, credential or key has ended.")
        if not isinstance(caller, policy.Refused):
            return caller
        return caller.caller if any_sign_in else policy.refuse(caller.refusal)

    async def _prove(self, authorization: str) -> _Proof:
        if authorization[: len(_BEARER)].lower() != _BEARER:
            tokens.refuse()
        text = authorization[len(_BEARER) :].strip()
        if text.startswith(api_keys.PREFIX):
            return _Proof(float("inf"), api_keys.parsed(text) or tokens.refuse(), None)
        header = tokens.header_of(text)
        kid = header.get("kid")
        if header.get("typ") == peers.TYPE:
            peer, expires = self._peers.verify(text, kid)
            return _Proof(expires, None, Caller(CallerKind.PEER, peer=peer))
        verified = tokens.verify(text, await self._keys.key(kid), self._clock)
        return _Proof(verified.expires, verified.token, None)

    def _remember(self, digest: bytes, proof: _Proof) -> None:
        self._proofs.pop(digest, None)
        self._proofs[digest] = proof
        if len(self._proofs) > _MOST:
            del self._proofs[next(iter(self._proofs))]

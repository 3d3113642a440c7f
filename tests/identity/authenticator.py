"""An authenticator and its browser in software: real keys, real attestation and assertion data."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from fido2.cose import ES256
from fido2.utils import sha256, websafe_decode, websafe_encode
from fido2.webauthn import (
    AttestationObject,
    AttestedCredentialData,
    AuthenticatorData,
    CollectedClientData,
)
from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct

Flag = AuthenticatorData.FLAG


@dataclass
class Authenticator:
    """Holds one passkey. `verified` says whether it has seen its owner's finger."""

    origin: str = "https://chat.example.com"
    verified: bool = True
    counts: bool = True
    credential_id: bytes = field(default_factory=lambda: os.urandom(32))
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    user_handle: bytes = b""
    count: int = 0

    def create(self, options: Struct) -> Struct:
        """Makes the passkey that a page asks for, and answers what its browser hands over."""
        asked = MessageToDict(options)
        self.user_handle = websafe_decode(asked["user"]["id"])
        public = ES256.from_cryptography_key(self.key.public_key())  # type: ignore[no-untyped-call]
        attested = AttestedCredentialData.create(b"\0" * 16, self.credential_id, public)
        data = AuthenticatorData.create(
            sha256(asked["rp"]["id"].encode()), self._flags() | Flag.AT, self.count, attested
        )
        client_data = self._client_data(CollectedClientData.TYPE.CREATE, asked)
        attestation = AttestationObject.create("none", data, {})
        return self._credential(
            {"clientDataJSON": websafe_encode(client_data), "attestationObject": websafe_encode(attestation)}
        )

    def get(self, options: Struct) -> Struct:
        """Signs in with the passkey."""
        asked = MessageToDict(options)
        self.count += self.counts
        data = AuthenticatorData.create(sha256(asked["rpId"].encode()), self._flags(), self.count)
        client_data = self._client_data(CollectedClientData.TYPE.GET, asked)
        signature = self.key.sign(data + client_data.hash, ec.ECDSA(hashes.SHA256()))
        return self._credential(
            {
                "clientDataJSON": websafe_encode(client_data),
                "authenticatorData": websafe_encode(data),
                "signature": websafe_encode(signature),
                "userHandle": websafe_encode(self.user_handle),
            }
        )

    def _flags(self) -> AuthenticatorData.FLAG:
        return Flag.UP | Flag.UV if self.verified else Flag.UP

    def _client_data(self, kind: str, asked: Mapping[str, Any]) -> CollectedClientData:
        return CollectedClientData.create(kind, websafe_decode(asked["challenge"]), self.origin)

    def _credential(self, response: dict[str, str]) -> Struct:
        made = Struct()
        name = websafe_encode(self.credential_id)
        made.update({"id": name, "rawId": name, "type": "public-key", "response": response})
        return made

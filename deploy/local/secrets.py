"""The secrets of a local suite: made at the first run, kept under the state folder, readable by us alone."""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat


class Secrets:
    """The folder of secrets. Every file is 0600 and written whole or not at all."""

    def __init__(self, folder: Path, services: Sequence[str]) -> None:
        self.folder = folder
        self.peer_keys_dir = folder / "peers"
        self._services = services

    def prepare(self) -> None:
        """Makes what is not there yet."""
        for each in (self.folder, self.peer_keys_dir):
            each.mkdir(parents=True, exist_ok=True, mode=0o700)
        for service in self._services:
            self._key(service)
            self._peer_key(service)

    def password(self, name: str) -> str:
        """Answers a password, made at its first use."""
        path = self.folder / f"{name}.password"
        if not path.exists():
            write(path, secrets.token_urlsafe(32).encode())
        return path.read_text()

    def key_file(self, service: str) -> Path:
        """Answers the file with the key-encryption key of a service."""
        return self.folder / f"{service}.key"

    def peer_key_file(self, service: str) -> Path:
        """Answers the file with the private key that signs a service's calls to its peers."""
        return self.folder / f"{service}.peer.pem"

    def _key(self, service: str) -> None:
        path = self.key_file(service)
        if not path.exists():
            write(path, base64.b64encode(secrets.token_bytes(32)) + b"\n")

    def _peer_key(self, service: str) -> None:
        path = self.peer_key_file(service)
        if not path.exists():
            key = Ed25519PrivateKey.generate()
            public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            write(self.peer_keys_dir / f"{service}.pem", public)
            # The private key comes last: its presence says that both are there.
            write(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def write(path: Path, content: bytes) -> None:
    """Writes a file that only we can read, whole even after a crash."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.rename(path)

"""Envelope encryption: content and personal data are under keys that can be destroyed."""

from chassis.crypto.data_key import DataKey, DecryptionFailed
from chassis.crypto.keyring import KeyDestroyed, KeyMissing, Keyring

__all__ = ["DataKey", "DecryptionFailed", "KeyDestroyed", "KeyMissing", "Keyring"]

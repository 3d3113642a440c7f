"""What is encrypted under the tenant's key, and what each ciphertext is bound to."""

from __future__ import annotations

from uuid import UUID

from chassis.crypto import DataKey

_TITLE = "chat_session.title"
_BODY = "history.body"
_CLIENT = "connection.client"
_ADDRESS = "connection.address"
_REASON = "legal_hold.reason"
_FILE_NAME = "file.display_name"
_FILE_HASH = "file.sha256"


def seal_title(key: DataKey, session_id: UUID, title: str) -> bytes | None:
    """Encrypts a title; none is stored for an empty one."""
    return key.encrypt(title.encode(), _TITLE, session_id) if title else None


def open_title(key: DataKey, session_id: UUID, sealed: bytes | None) -> str:
    """Decrypts a title."""
    return key.decrypt(sealed, _TITLE, session_id).decode() if sealed is not None else ""


def seal_body(key: DataKey, session_id: str, history_id: str, body: str) -> bytes:
    """Encrypts a history's body. The ids are canonical texts: the hot path has no others at hand."""
    return key.encrypt(body.encode(), _BODY, session_id, history_id)


def open_body(key: DataKey, session_id: str, history_id: str, sealed: bytes) -> str:
    """Decrypts a history's body; fails for one of another history, session or tenant."""
    return key.decrypt(sealed, _BODY, session_id, history_id).decode()


def seal_reason(key: DataKey, hold_id: UUID, reason: str) -> bytes:
    """Encrypts why a hold was placed."""
    return key.encrypt(reason.encode(), _REASON, hold_id)


def open_reason(key: DataKey, hold_id: UUID, sealed: bytes) -> str:
    """Decrypts why a hold was placed."""
    return key.decrypt(sealed, _REASON, hold_id).decode()


def seal_file(key: DataKey, file_id: UUID, display_name: str, sha256: bytes) -> tuple[bytes, bytes]:
    """Encrypts the name of a file, and its checksum, by which its content could be guessed."""
    return (
        key.encrypt(display_name.encode(), _FILE_NAME, file_id),
        key.encrypt(sha256, _FILE_HASH, file_id),
    )


def open_file_name(key: DataKey, file_id: UUID, sealed: bytes | None) -> str:
    """Decrypts the name of a file."""
    return key.decrypt(sealed, _FILE_NAME, file_id).decode() if sealed is not None else ""


def open_file_hash(key: DataKey, file_id: UUID, sealed: bytes | None) -> bytes:
    """Decrypts the declared checksum of a file."""
    return key.decrypt(sealed, _FILE_HASH, file_id) if sealed is not None else b""


def seal_origin(key: DataKey, connection_id: UUID, client: str, address: str) -> tuple[bytes, bytes]:
    """Encrypts what a websocket server said of its client, and the client's address."""
    return (
        key.encrypt(client.encode(), _CLIENT, connection_id),
        key.encrypt(address.encode(), _ADDRESS, connection_id),
    )


def open_origin(
    key: DataKey, connection_id: UUID, client: bytes | None, address: bytes | None
) -> tuple[str, str]:
    """Decrypts what `seal_origin` encrypted."""
    return (
        key.decrypt(client, _CLIENT, connection_id).decode() if client is not None else "",
        key.decrypt(address, _ADDRESS, connection_id).decode() if address is not None else "",
    )

"""What sessions holds about a member. The content of enterprise accounts is not theirs, and stays out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from chassis.blobs import Blobs
from chassis.crypto import Keyring
from chassis.database import Snapshot
from chassis.runtime import Runtime
from chassis.subjects import Document, Listing, Subject, SubjectRpc
from chassis.subjects.documents import Record
from chassis.subjects.rpc import Documents
from services.sessions import content
from services.sessions.files.contents import Contents

KEPT = {
    "chat sessions, histories and files of enterprise accounts": "they belong to the enterprise",
    "attributions of usage": "ids, to which costs refer",
}

_SESSIONS = """
SELECT id, tenant_id, account_id, model, team_id, title, create_time, last_activity_time, delete_time,
    last_sequence FROM wrtn_chat_sessions
WHERE procedure_id IS NULL AND account_id = ANY (%(accounts)s) AND id > %(after)s ORDER BY id LIMIT %(page)s
"""
_PROCEDURE_SESSIONS = """
SELECT id, tenant_id, account_id, procedure_id, procedure_version, model, team_id, title, create_time,
    last_activity_time, delete_time, last_sequence FROM wrtn_chat_sessions
WHERE procedure_id IS NOT NULL AND account_id = ANY (%(accounts)s) AND id > %(after)s
ORDER BY id LIMIT %(page)s
"""
_HISTORIES = """
SELECT history.id, history.tenant_id, chat_session_id, sequence, type, body, history.create_time,
    history.model, history.input_total, history.output_total, history.cache_write_tokens, history.requests,
    history.images, history.seconds
FROM wrtn_histories AS history
WHERE history.tenant_id = ANY (%(tenants)s) AND history.id > %(after)s ORDER BY history.id LIMIT %(page)s
"""
_CONNECTIONS = """
SELECT id, tenant_id, account_id, chat_session_id, login_id, client, address, connect_time, disconnect_time
FROM wrtn_connections WHERE member_id = %(member)s AND id > %(after)s ORDER BY id LIMIT %(page)s
"""
_FILES = """
SELECT id, tenant_id, chat_session_id, display_name, media_type, size, create_time
FROM wrtn_files
WHERE tenant_id = ANY (%(tenants)s) AND state = 2 AND id > %(after)s ORDER BY id LIMIT %(page)s
"""


def documents(keyring: Keyring, blobs: Blobs) -> Documents:
    """Answers the documents of a subject."""

    def listings(subject: Subject) -> Iterator[Document]:
        personal = list(subject.personal_account_ids)

        async def session(snapshot: Snapshot, record: Record) -> Record:
            title = record.pop("title")
            if record["tenant_id"] not in subject.personal_account_ids:
                return record
            # An account of which nothing was ever encrypted has no key.
            key = await keyring.key(snapshot, record["tenant_id"]) if title is not None else None
            return record | {"title": content.open_title(key, record["id"], title) if key is not None else ""}

        async def history(snapshot: Snapshot, record: Record) -> Record:
            key = await keyring.key(snapshot, record["tenant_id"])
            session_id, history_id = str(record["chat_session_id"]), str(record["id"])
            # What was purged has no body any more.
            sealed = record["body"]
            body = content.open_body(key, session_id, history_id, sealed) if sealed else ""
            return record | {"body": body}

        async def connection(snapshot: Snapshot, record: Record) -> Record:
            sealed = record.pop("client"), record.pop("address")
            if sealed == (None, None):
                return record | {"client": "", "address": ""}
            key = await keyring.key(snapshot, record["tenant_id"])
            client, address = content.open_origin(key, record["id"], *sealed)
            return record | {"client": client, "address": address}

        async def file(snapshot: Snapshot, record: Record) -> Record:
            key = await keyring.key(snapshot, record["tenant_id"])
            name = content.open_file_name(key, record["id"], record["display_name"])
            return record | {"display_name": name}

        accounts = {"accounts": [*personal, *subject.enterprise_accounts]}
        yield Listing("chat_sessions", subject.everything, _SESSIONS, accounts, session)
        yield Listing("procedure_sessions", subject.everything, _PROCEDURE_SESSIONS, accounts, session)
        yield Listing("histories", subject.own, _HISTORIES, {"tenants": personal}, history)
        member = {"member": subject.member_id}
        yield Listing("connections", subject.everything, _CONNECTIONS, member, connection)
        yield Listing("files", subject.own, _FILES, {"tenants": personal}, file)
        yield Contents(keyring, blobs, personal)

    return listings


def rpc(runtime: Runtime[Any], blobs: Blobs) -> SubjectRpc:
    """Answers the servicer."""
    return SubjectRpc(runtime, documents(runtime.keyring, blobs), kept=KEPT)

"""Every query but those of the group commit; one small class a table, its tenant bound at construction."""

from services.sessions.store.files import Files, tenants_with_files_to_clear
from services.sessions.store.keeping import LegalHolds, Purges, Retentions, tenants_to_purge
from services.sessions.store.recorded import (
    NO_PROCESS,
    Attributions,
    ChatSessions,
    Connections,
    Histories,
    HistoryRow,
    IdleConnections,
    Processes,
    Tickets,
    connection_of,
)

__all__ = [
    "NO_PROCESS",
    "Attributions",
    "ChatSessions",
    "Connections",
    "Files",
    "Histories",
    "HistoryRow",
    "IdleConnections",
    "LegalHolds",
    "Processes",
    "Purges",
    "Retentions",
    "Tickets",
    "connection_of",
    "tenants_to_purge",
    "tenants_with_files_to_clear",
]

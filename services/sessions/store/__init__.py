"""Every query but those of the group commit; one small class a table, its tenant bound at construction."""

from services.sessions.store.connections import Connections, IdleConnections, connection_of
from services.sessions.store.files import Files, tenants_with_files_to_clear
from services.sessions.store.histories import Attributions, Histories, HistoryRow
from services.sessions.store.keeping import LegalHolds, PlanRetentions, Purges, Retentions, tenants_to_purge
from services.sessions.store.procedures import Procedures, VersionRow
from services.sessions.store.processes import NO_PROCESS, Processes
from services.sessions.store.sessions import Sessions, Tickets

__all__ = [
    "NO_PROCESS",
    "Attributions",
    "Connections",
    "Files",
    "Histories",
    "HistoryRow",
    "IdleConnections",
    "LegalHolds",
    "PlanRetentions",
    "Procedures",
    "Processes",
    "Purges",
    "Retentions",
    "Sessions",
    "Tickets",
    "VersionRow",
    "connection_of",
    "tenants_to_purge",
    "tenants_with_files_to_clear",
]

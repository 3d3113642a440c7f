"""The tables of sessions."""

from services.sessions.models.base import Base
from services.sessions.models.files import File, FilePiece, FileState, HistoryFile
from services.sessions.models.keeping import LegalHold, Retention
from services.sessions.models.recorded import (
    Attribution,
    ChatSession,
    Connection,
    History,
    Process,
    ProcessTenant,
    Ticket,
)

__all__ = [
    "Attribution",
    "Base",
    "ChatSession",
    "Connection",
    "File",
    "FilePiece",
    "FileState",
    "History",
    "HistoryFile",
    "LegalHold",
    "Process",
    "ProcessTenant",
    "Retention",
    "Ticket",
]

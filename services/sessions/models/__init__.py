"""The tables of sessions."""

from services.sessions.models.base import Base
from services.sessions.models.files import File, FilePiece, FileState, HistoryFile
from services.sessions.models.keeping import LegalHold, PlanRetention, Retention
from services.sessions.models.procedures import PLATFORM, Procedure, ProcedureState, ProcedureVersion
from services.sessions.models.recorded import (
    Attribution,
    Connection,
    History,
    Process,
    ProcessTenant,
    Ticket,
)
from services.sessions.models.sessions import Session, SessionKind

__all__ = [
    "PLATFORM",
    "Attribution",
    "Base",
    "Connection",
    "File",
    "FilePiece",
    "FileState",
    "History",
    "HistoryFile",
    "LegalHold",
    "PlanRetention",
    "Procedure",
    "ProcedureState",
    "ProcedureVersion",
    "Process",
    "ProcessTenant",
    "Retention",
    "Session",
    "SessionKind",
    "Ticket",
]

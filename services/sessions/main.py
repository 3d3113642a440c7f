"""Runs sessions: `python -m services.sessions.main`."""

from __future__ import annotations

from datetime import timedelta

from chassis import settings
from chassis.blobs import Blobs
from chassis.jobs import Job
from chassis.service import Parts, Runtime, run
from services.sessions import consumers, recording, subjects
from services.sessions.authorities import Authorities
from services.sessions.break_glass import BreakGlass
from services.sessions.closings import Closings
from services.sessions.committer import Committer
from services.sessions.connections import Doors
from services.sessions.files.clearing import Clearing
from services.sessions.forms import Forms
from services.sessions.idling import close_idle
from services.sessions.live import Live
from services.sessions.processes import Heartbeat, close_dead
from services.sessions.purging import Purging
from services.sessions.readers import Readers
from services.sessions.rights import Rights
from services.sessions.rpc.files import FileRpc
from services.sessions.rpc.keeping import LegalHoldRpc, RetentionRpc
from services.sessions.rpc.procedures import ProcedureRpc
from services.sessions.rpc.recorder import Recorder
from services.sessions.rpc.sessions import ChatSessionRpc, ProcedureSessionRpc
from services.sessions.rpc.usage_progress import UsageProgressRpc
from services.sessions.rpc.watch import WatchRpc
from services.sessions.settings import SessionsSettings
from services.sessions.tails import Tails
from services.sessions.watcher import Sources
from services.sessions.watchers import Watchers
from wrtn.sessions.v1.chat_sessions_pb2_grpc import add_ChatSessionServiceServicer_to_server
from wrtn.sessions.v1.files_pb2_grpc import add_FileServiceServicer_to_server
from wrtn.sessions.v1.legal_holds_pb2_grpc import add_LegalHoldServiceServicer_to_server
from wrtn.sessions.v1.procedure_sessions_pb2_grpc import add_ProcedureSessionServiceServicer_to_server
from wrtn.sessions.v1.procedures_pb2_grpc import add_ProcedureServiceServicer_to_server
from wrtn.sessions.v1.recorder_pb2 import Control
from wrtn.sessions.v1.recorder_pb2_grpc import add_RecorderServiceServicer_to_server
from wrtn.sessions.v1.retention_pb2_grpc import add_RetentionServiceServicer_to_server
from wrtn.sessions.v1.usage_progress_pb2_grpc import add_UsageProgressServiceServicer_to_server
from wrtn.sessions.v1.watch_pb2_grpc import add_WatchServiceServicer_to_server
from wrtn.subjects.v1.subjects_pb2_grpc import add_DataSubjectServiceServicer_to_server


def wire(runtime: Runtime[SessionsSettings]) -> Parts:
    """Puts the service together."""
    own, clock, db = runtime.settings, runtime.clock, runtime.db
    rights = Rights(runtime.principals, runtime.access)
    authorities = Authorities(db, runtime.keyring, rights, Forms(db), clock)
    doors = Doors(db, runtime.keyring, authorities, clock)
    own_database = recording.connect(own.database_url, lanes=own.recorder_lanes, clock=clock)
    tails = Tails(runtime.bus)
    committer = Committer(
        own_database, clock, lanes=own.recorder_lanes, most_waiting=own.recorder_queue, grew=tails.grew
    )
    closings = Closings(doors)
    heartbeat = Heartbeat(db, clock, own.heartbeat_seconds)
    live = Live(runtime.bus, authorities, closings, runtime.draining, unread_seconds=own.unread_seconds)
    heartbeat.on_loss(lambda: live.tell_all(Control.KIND_SERVER_DRAINING))
    recorder = Recorder(doors, authorities, committer, live, closings, heartbeat, tails, own.ack_window)
    readers = Readers(db, runtime.access, BreakGlass(runtime.peers))
    sources = Sources(db, runtime.keyring, readers, runtime.principals, runtime.access)
    watchers = Watchers(runtime.bus, sources, tails, runtime.draining, unread_seconds=own.unread_seconds)

    blobs = Blobs(own.blob_url, runtime.service)
    clearing = Clearing(db, runtime.worker, blobs)
    files = FileRpc(db, runtime.keyring, readers, authorities, blobs, clearing, own.file_most_bytes)

    async def close_dead_processes() -> None:
        await close_dead(db, clock, timedelta(seconds=own.dead_seconds))

    async def close_idle_connections() -> None:
        await close_idle(db, timedelta(seconds=own.idle_seconds))

    shared = (db, runtime.keyring, runtime.access, live, readers)
    return Parts(
        servicers=[
            (add_ChatSessionServiceServicer_to_server, ChatSessionRpc(*shared)),
            (add_ProcedureSessionServiceServicer_to_server, ProcedureSessionRpc(*shared)),
            (add_ProcedureServiceServicer_to_server, ProcedureRpc(db, runtime.access)),
            (add_RecorderServiceServicer_to_server, recorder),
            (add_FileServiceServicer_to_server, files),
            (add_RetentionServiceServicer_to_server, RetentionRpc(db)),
            (add_LegalHoldServiceServicer_to_server, LegalHoldRpc(db, runtime.keyring)),
            (
                add_UsageProgressServiceServicer_to_server,
                UsageProgressRpc(runtime.worker, runtime.bus, clock),
            ),
            (add_WatchServiceServicer_to_server, WatchRpc(watchers)),
            (add_DataSubjectServiceServicer_to_server, subjects.rpc(runtime, blobs)),
        ],
        consumers=[consumers.transfers(), consumers.plans()],
        jobs=[
            Job("close-dead-processes", timedelta(seconds=10), close_dead_processes),
            Job("close-idle-connections", timedelta(minutes=5), close_idle_connections),
            Purging(db, runtime.worker, clearing).job(),
            clearing.job(),
        ],
        databases=[own_database],
        background=[heartbeat, tails, committer, closings, live, watchers],
    )


if __name__ == "__main__":
    run("sessions", settings.load(SessionsSettings), wire)

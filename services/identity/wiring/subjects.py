"""What a member may have of their data: an archive of it, and its end."""

from __future__ import annotations

from datetime import timedelta

from chassis.blobs import Blobs
from chassis.jobs import Job
from chassis.operations import Operations
from chassis.operations.rpc import OperationRpc
from chassis.runtime import Parts
from services.identity import subjects
from services.identity.personal_data import exports
from services.identity.personal_data.erasures import Erasures
from services.identity.personal_data.exports import Exports
from services.identity.personal_data.holders import Holders
from services.identity.rpc.erasures import ErasureRpc
from services.identity.rpc.exports import ExportRpc
from services.identity.wiring.core import Core
from wrtn.identity.v1.erasures_pb2_grpc import add_ErasureServiceServicer_to_server
from wrtn.identity.v1.exports_pb2_grpc import add_ExportServiceServicer_to_server
from wrtn.identity.v1.operations_pb2_grpc import add_OperationServiceServicer_to_server
from wrtn.subjects.v1.subjects_pb2_grpc import add_DataSubjectServiceServicer_to_server

ARCHIVES_EVERY = timedelta(hours=1)
"""How often archives that are over, and what failed ones left, are deleted."""


def parts(core: Core) -> Parts:
    """Makes them."""
    runtime, db, keyring, post, reach = core.runtime, core.db, core.keyring, core.post, core.reach
    blobs, own = Blobs(core.settings.blob_url, runtime.service), subjects.rpc(runtime)
    holders = Holders(runtime, own)
    kinds = [Exports(runtime, blobs, holders, post).kind(), Erasures(runtime, blobs, holders, reach).kind()]
    operations = Operations(runtime, kinds)
    erasures = ErasureRpc(db, keyring, post, core.proofs, reach, operations)

    async def purge() -> None:
        await exports.purge(db, blobs)
        await exports.sweep(db, blobs)

    return Parts(
        servicers=[
            (add_DataSubjectServiceServicer_to_server, own),
            (add_ExportServiceServicer_to_server, ExportRpc(db, keyring, blobs, operations)),
            (add_ErasureServiceServicer_to_server, erasures),
            (add_OperationServiceServicer_to_server, OperationRpc(runtime, operations)),
        ],
        jobs=[Job("purge-exports", ARCHIVES_EVERY, purge)],
        background=[operations],
    )

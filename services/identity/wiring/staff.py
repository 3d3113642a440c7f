"""Staff, and what they decide."""

from __future__ import annotations

from chassis.runtime import Parts
from services.identity.rpc.break_glass import BreakGlassRpc
from services.identity.rpc.staff import StaffRpc
from services.identity.rpc.suspensions import SuspensionRpc
from services.identity.staff.alerts import Alerts
from services.identity.wiring.core import Core
from wrtn.identity.v1.break_glass_pb2_grpc import add_BreakGlassServiceServicer_to_server
from wrtn.identity.v1.staff_pb2_grpc import add_StaffServiceServicer_to_server
from wrtn.identity.v1.suspensions_pb2_grpc import add_SuspensionServiceServicer_to_server


def parts(core: Core) -> Parts:
    """Makes them."""
    db, keyring, post = core.db, core.keyring, core.post
    return Parts(
        servicers=[
            (add_StaffServiceServicer_to_server, StaffRpc(db, keyring)),
            (add_SuspensionServiceServicer_to_server, SuspensionRpc(db, keyring, post, core.cache)),
            (add_BreakGlassServiceServicer_to_server, BreakGlassRpc(db, keyring, post)),
        ],
        consumers=[Alerts(keyring, post).consumer()],
    )

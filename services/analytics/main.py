"""The analytics service: `python -m services.analytics.main`."""

from __future__ import annotations

from chassis import settings
from chassis.service import Parts, Runtime, run
from chassis.settings import ServiceSettings
from services.analytics import audit, subjects
from services.analytics.consumers import CONSUMERS
from services.analytics.rpc import Audit, Usages
from wrtn.analytics.v1.audit_pb2_grpc import add_AuditServiceServicer_to_server
from wrtn.analytics.v1.usage_pb2_grpc import add_UsageServiceServicer_to_server
from wrtn.subjects.v1.subjects_pb2_grpc import add_DataSubjectServiceServicer_to_server


def wire(runtime: Runtime[ServiceSettings]) -> Parts:
    """Builds the parts."""
    return Parts(
        servicers=[
            (add_AuditServiceServicer_to_server, Audit(runtime)),
            (add_UsageServiceServicer_to_server, Usages(runtime)),
            (add_DataSubjectServiceServicer_to_server, subjects.rpc(runtime)),
        ],
        consumers=[*CONSUMERS, *audit.CONSUMERS],
    )


if __name__ == "__main__":
    run("analytics", settings.load(ServiceSettings), wire)

"""The enterprise service: `python -m services.enterprise.main`."""

from __future__ import annotations

from chassis import settings
from chassis.service import Parts, Runtime, run
from chassis.settings import ServiceSettings
from services.enterprise import access
from services.enterprise.identity import Identity
from services.enterprise.rpc.access import Access
from services.enterprise.rpc.employees import Employees
from services.enterprise.rpc.enterprises import Enterprises
from services.enterprise.rpc.teams import Teams
from wrtn.enterprise.v1.access_pb2_grpc import add_AccessServiceServicer_to_server
from wrtn.enterprise.v1.employees_pb2_grpc import add_EmployeeServiceServicer_to_server
from wrtn.enterprise.v1.enterprises_pb2_grpc import add_EnterpriseServiceServicer_to_server
from wrtn.enterprise.v1.teams_pb2_grpc import add_TeamServiceServicer_to_server


def wire(runtime: Runtime[ServiceSettings]) -> Parts:
    """Builds the parts. Access is resolved from our own tables instead of by a peer."""
    identity = Identity(runtime.peers)
    resolve = access.source(runtime.db)
    return Parts(
        servicers=[
            (add_EnterpriseServiceServicer_to_server, Enterprises(runtime, identity)),
            (add_EmployeeServiceServicer_to_server, Employees(runtime, identity)),
            (add_TeamServiceServicer_to_server, Teams(runtime, identity)),
            (add_AccessServiceServicer_to_server, Access(resolve)),
        ],
        access_source=resolve,
    )


if __name__ == "__main__":
    run("enterprise", settings.load(ServiceSettings), wire)

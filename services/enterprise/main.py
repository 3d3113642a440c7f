"""The enterprise service: `python -m services.enterprise.main`."""

from __future__ import annotations

from datetime import timedelta

from chassis import names, settings
from chassis.jobs import Job
from chassis.operations import Operations
from chassis.operations.rpc import OperationRpc
from chassis.outbound import Outbound
from chassis.service import Parts, Runtime, run
from services.enterprise import subjects
from services.enterprise.consumers import CONSUMERS
from services.enterprise.domains import rechecks
from services.enterprise.domains.proofs import Proofs
from services.enterprise.domains.rechecks import Rechecks
from services.enterprise.identity import Identity
from services.enterprise.imports.importing import Importing
from services.enterprise.letters import Postman
from services.enterprise.people.handovers import HandoverSaga
from services.enterprise.rights import access
from services.enterprise.rpc.access import Access
from services.enterprise.rpc.deciding import Deciding
from services.enterprise.rpc.deputies import Deputies
from services.enterprise.rpc.domains import DomainRpc
from services.enterprise.rpc.employees import Employees
from services.enterprise.rpc.enterprises import Enterprises
from services.enterprise.rpc.grant_requests import GrantRequests
from services.enterprise.rpc.grants import Grants
from services.enterprise.rpc.history import Histories
from services.enterprise.rpc.imports import ImportRpc
from services.enterprise.rpc.invitations import InvitationRpc
from services.enterprise.rpc.scim import ScimRpc
from services.enterprise.rpc.teams import Teams
from services.enterprise.rpc.visibility import Visibility
from services.enterprise.rpc.webhooks import WebhookRpc
from services.enterprise.settings import EnterpriseSettings
from services.enterprise.webhooks.dispatching import Dispatcher
from services.enterprise.webhooks.settling import Settling
from services.enterprise.webhooks.webhook_events import Webhooks
from services.enterprise.webhooks.webhooks import Endpoints
from wrtn.enterprise.v1.access_pb2_grpc import add_AccessServiceServicer_to_server
from wrtn.enterprise.v1.deputies_pb2_grpc import add_DeputyServiceServicer_to_server
from wrtn.enterprise.v1.domains_pb2_grpc import add_DomainServiceServicer_to_server
from wrtn.enterprise.v1.employees_pb2_grpc import add_EmployeeServiceServicer_to_server
from wrtn.enterprise.v1.enterprises_pb2_grpc import add_EnterpriseServiceServicer_to_server
from wrtn.enterprise.v1.grant_requests_pb2_grpc import add_GrantRequestServiceServicer_to_server
from wrtn.enterprise.v1.grants_pb2_grpc import add_GrantServiceServicer_to_server
from wrtn.enterprise.v1.history_pb2_grpc import add_HistoryServiceServicer_to_server
from wrtn.enterprise.v1.imports_pb2_grpc import add_ImportServiceServicer_to_server
from wrtn.enterprise.v1.invitations_pb2_grpc import add_InvitationServiceServicer_to_server
from wrtn.enterprise.v1.operations_pb2_grpc import add_OperationServiceServicer_to_server
from wrtn.enterprise.v1.scim_pb2_grpc import add_ScimServiceServicer_to_server
from wrtn.enterprise.v1.teams_pb2_grpc import add_TeamServiceServicer_to_server
from wrtn.enterprise.v1.visibility_pb2_grpc import add_VisibilityServiceServicer_to_server
from wrtn.enterprise.v1.webhooks_pb2_grpc import add_WebhookServiceServicer_to_server
from wrtn.subjects.v1.subjects_pb2_grpc import add_DataSubjectServiceServicer_to_server


def wire(runtime: Runtime[EnterpriseSettings]) -> Parts:
    """Builds the parts. Access is resolved from our own tables instead of by a peer."""
    identity = Identity(runtime.peers)
    db, worker, keyring = runtime.db, runtime.worker, runtime.keyring
    resolve = access.source(db)
    resolver = names.resolver(runtime.settings.dns_server)
    proofs = Proofs(resolver, identity)
    outbound = Outbound(resolver, inside=runtime.settings.webhooks_inside)
    settling = Settling(db, worker)
    dispatcher = Dispatcher(db, worker, keyring, outbound, settling)
    deciding = Deciding(runtime, identity)
    operations = Operations(runtime, [Importing(db, keyring, runtime.clock, identity).kind()])
    saga = HandoverSaga(db, worker, identity)
    return Parts(
        servicers=[
            (add_EnterpriseServiceServicer_to_server, Enterprises(runtime, identity, deciding)),
            (add_EmployeeServiceServicer_to_server, Employees(runtime, identity, deciding, saga)),
            (add_TeamServiceServicer_to_server, Teams(runtime, deciding)),
            (add_DeputyServiceServicer_to_server, Deputies(runtime, deciding)),
            (add_GrantServiceServicer_to_server, Grants(runtime, identity)),
            (add_GrantRequestServiceServicer_to_server, GrantRequests(runtime, identity)),
            (add_VisibilityServiceServicer_to_server, Visibility(runtime, identity)),
            (add_HistoryServiceServicer_to_server, Histories(runtime.db)),
            (add_AccessServiceServicer_to_server, Access(db, resolve)),
            (add_DataSubjectServiceServicer_to_server, subjects.rpc(runtime)),
            (add_DomainServiceServicer_to_server, DomainRpc(db, identity, proofs)),
            (add_ImportServiceServicer_to_server, ImportRpc(db, deciding, operations)),
            (add_OperationServiceServicer_to_server, OperationRpc(runtime, operations)),
            (add_ScimServiceServicer_to_server, ScimRpc(runtime, identity)),
            (add_InvitationServiceServicer_to_server, InvitationRpc(db, keyring, identity, deciding)),
            (
                add_WebhookServiceServicer_to_server,
                WebhookRpc(db, keyring, Endpoints(keyring, outbound), dispatcher),
            ),
        ],
        consumers=[*CONSUMERS, *Webhooks(dispatcher).consumers()],
        jobs=[
            Job("recheck-domains", rechecks.RUN_EVERY, Rechecks(db, proofs).run),
            Job("purge-webhooks", timedelta(hours=6), settling.purge),
            saga.job(),
            Postman(db, worker, identity, keyring).job(),
        ],
        background=[dispatcher, operations],
        access_source=resolve,
    )


if __name__ == "__main__":
    run("enterprise", settings.load(EnterpriseSettings), wire)

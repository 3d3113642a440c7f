"""The tables. Every one is the tenant's, which is the enterprise: `tenant_id` leads every primary key.

Other indexes that find one row by its id have `tenant_id` last. Where it led them all, a planner that had
no statistics yet took any of them for a tenant's few rows, and read all of a large tenant.
"""

from services.enterprise.models.base import Base
from services.enterprise.models.deputies import Deputy
from services.enterprise.models.domains import Domain, DomainProof, DomainState, ProvenDomain
from services.enterprise.models.employees import Appointment, Employee
from services.enterprise.models.enterprises import (
    Enterprise,
    EnterpriseStateChange,
    Logo,
    PaymentStanding,
    Slug,
)
from services.enterprise.models.grants import Grant, GrantChange, GrantDefault, GrantRequest, Visibility
from services.enterprise.models.handovers import AccountHolder, Handover, HandoverState
from services.enterprise.models.imports import ImportOutcome, ImportRow
from services.enterprise.models.invitations import Invitation, InvitationState, InvitedAddress
from services.enterprise.models.letters import Letter
from services.enterprise.models.plan_limits import PlanLimit
from services.enterprise.models.scim import ScimGroup, ScimUser
from services.enterprise.models.teams import Companion, Team, TeamChange
from services.enterprise.models.webhooks import (
    DeliveryState,
    DisableReason,
    EndpointState,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookEvent,
    WebhookSecret,
)

__all__ = [
    "AccountHolder",
    "Appointment",
    "Base",
    "Companion",
    "DeliveryState",
    "Deputy",
    "DisableReason",
    "Domain",
    "DomainProof",
    "DomainState",
    "Employee",
    "EndpointState",
    "Enterprise",
    "EnterpriseStateChange",
    "Grant",
    "GrantChange",
    "GrantDefault",
    "GrantRequest",
    "Handover",
    "HandoverState",
    "ImportOutcome",
    "ImportRow",
    "Invitation",
    "InvitationState",
    "InvitedAddress",
    "Letter",
    "Logo",
    "PaymentStanding",
    "PlanLimit",
    "ProvenDomain",
    "ScimGroup",
    "ScimUser",
    "Slug",
    "Team",
    "TeamChange",
    "Visibility",
    "WebhookAttempt",
    "WebhookDelivery",
    "WebhookEndpoint",
    "WebhookEvent",
    "WebhookSecret",
]

"""Every query. A class an aggregate, bound to one tenant at construction."""

from services.enterprise.store.appointments import Appointments
from services.enterprise.store.deliveries import (
    Claimed,
    Deliveries,
    add_deliveries,
    add_events,
    claim_deliveries,
    failing_since,
    succeeds,
)
from services.enterprise.store.deputies import Deputies
from services.enterprise.store.domains import Domains, ProvenDomains
from services.enterprise.store.due import tenants_with_due, tenants_with_endpoints
from services.enterprise.store.employees import Employees
from services.enterprise.store.enterprises import (
    Enterprises,
    StateChanges,
    employers,
    enterprises,
    newest_enterprises,
)
from services.enterprise.store.grant_requests import GrantRequests, Visibilities
from services.enterprise.store.grants import GrantChanges, GrantDefaults, Grants
from services.enterprise.store.handovers import Handovers, tenants_handing_over
from services.enterprise.store.imports import ImportRows
from services.enterprise.store.invitations import Invitations, invited
from services.enterprise.store.letters import Letters, Runners, tenants_writing
from services.enterprise.store.plan_limits import PlanLimits, Room
from services.enterprise.store.rights import Rights, rights_and_settings
from services.enterprise.store.scim import GroupRow, ScimGroups, ScimUsers, UserRow
from services.enterprise.store.team_changes import TeamChanges
from services.enterprise.store.teams import Companions, Place, Teams
from services.enterprise.store.webhooks import WebhookEndpoints, endpoints_of

__all__ = [
    "Appointments",
    "Claimed",
    "Companions",
    "Deliveries",
    "Deputies",
    "Domains",
    "Employees",
    "Enterprises",
    "GrantChanges",
    "GrantDefaults",
    "GrantRequests",
    "Grants",
    "GroupRow",
    "Handovers",
    "ImportRows",
    "Invitations",
    "Letters",
    "Place",
    "PlanLimits",
    "ProvenDomains",
    "Rights",
    "Room",
    "Runners",
    "ScimGroups",
    "ScimUsers",
    "StateChanges",
    "TeamChanges",
    "Teams",
    "UserRow",
    "Visibilities",
    "WebhookEndpoints",
    "add_deliveries",
    "add_events",
    "claim_deliveries",
    "employers",
    "endpoints_of",
    "enterprises",
    "failing_since",
    "invited",
    "newest_enterprises",
    "rights_and_settings",
    "succeeds",
    "tenants_handing_over",
    "tenants_with_due",
    "tenants_with_endpoints",
    "tenants_writing",
]

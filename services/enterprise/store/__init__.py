"""Every query. A class an aggregate, bound to one tenant at construction."""

from services.enterprise.store.appointments import Appointments
from services.enterprise.store.deputies import Deputies
from services.enterprise.store.domains import Domains, ProvenDomains
from services.enterprise.store.employees import Employees
from services.enterprise.store.enterprises import Enterprises, employers, enterprises
from services.enterprise.store.grant_requests import GrantRequests, Visibilities
from services.enterprise.store.grants import GrantChanges, GrantDefaults, Grants
from services.enterprise.store.handovers import Handovers, tenants_handing_over
from services.enterprise.store.letters import Letters, Runners, tenants_writing
from services.enterprise.store.rights import Rights
from services.enterprise.store.team_changes import TeamChanges
from services.enterprise.store.teams import Companions, Teams

__all__ = [
    "Appointments",
    "Companions",
    "Deputies",
    "Domains",
    "Employees",
    "Enterprises",
    "GrantChanges",
    "GrantDefaults",
    "GrantRequests",
    "Grants",
    "Handovers",
    "Letters",
    "ProvenDomains",
    "Rights",
    "Runners",
    "TeamChanges",
    "Teams",
    "Visibilities",
    "employers",
    "enterprises",
    "tenants_handing_over",
    "tenants_writing",
]

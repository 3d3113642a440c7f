"""Every query. A class an aggregate, bound to one tenant at construction."""

from services.enterprise.store.appointments import Appointments
from services.enterprise.store.domains import Domains, ProvenDomains
from services.enterprise.store.employees import Employees
from services.enterprise.store.enterprises import Enterprises, employers, enterprises
from services.enterprise.store.grant_requests import GrantRequests, Visibilities
from services.enterprise.store.grants import GrantChanges, GrantDefaults, Grants
from services.enterprise.store.rights import Rights
from services.enterprise.store.teams import Companions, Teams

__all__ = [
    "Appointments",
    "Companions",
    "Domains",
    "Employees",
    "Enterprises",
    "GrantChanges",
    "GrantDefaults",
    "GrantRequests",
    "Grants",
    "ProvenDomains",
    "Rights",
    "Teams",
    "Visibilities",
    "employers",
    "enterprises",
]

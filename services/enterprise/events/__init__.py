"""Builds and publishes this service's events, in the transaction of the change that they tell of."""

from services.enterprise.events.enterprises import (
    domain_changed,
    endpoint_disabled,
    enterprise_created,
    enterprise_turned,
    enterprise_updated,
    visibility_changed,
)
from services.enterprise.events.grants import grant_changed, grant_request_closed, grant_requested
from services.enterprise.events.people import (
    deputy_appointed,
    deputy_ended,
    duties_changed,
    employee_dismissed,
    employee_hired,
    invitation_changed,
    title_changed,
)
from services.enterprise.events.teams import (
    companion_appointed,
    companion_removed,
    team_archived,
    team_created,
    team_moved,
    team_renamed,
    team_restored,
)

__all__ = [
    "companion_appointed",
    "companion_removed",
    "deputy_appointed",
    "deputy_ended",
    "domain_changed",
    "duties_changed",
    "employee_dismissed",
    "employee_hired",
    "endpoint_disabled",
    "enterprise_created",
    "enterprise_turned",
    "enterprise_updated",
    "grant_changed",
    "grant_request_closed",
    "grant_requested",
    "invitation_changed",
    "team_archived",
    "team_created",
    "team_moved",
    "team_renamed",
    "team_restored",
    "title_changed",
    "visibility_changed",
]

"""Rows to messages, pure."""

from services.enterprise.convert.enterprises import domain, enterprise, state_change
from services.enterprise.convert.fields import duties
from services.enterprise.convert.grants import grant, grant_change, grant_default, grant_request, visibility
from services.enterprise.convert.history import companion_at, deputy_at, role_at, team_at, team_change
from services.enterprise.convert.invitations import invitation
from services.enterprise.convert.people import appointment, deputy, employee, handover
from services.enterprise.convert.rights import access, standing
from services.enterprise.convert.teams import companion, team
from services.enterprise.convert.webhooks import attempt, delivery, endpoint, event_types

__all__ = [
    "access",
    "appointment",
    "attempt",
    "companion",
    "companion_at",
    "delivery",
    "deputy",
    "deputy_at",
    "domain",
    "duties",
    "employee",
    "endpoint",
    "enterprise",
    "event_types",
    "grant",
    "grant_change",
    "grant_default",
    "grant_request",
    "handover",
    "invitation",
    "role_at",
    "standing",
    "state_change",
    "team",
    "team_at",
    "team_change",
    "visibility",
]

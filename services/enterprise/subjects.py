"""What enterprise holds about a member: where they are employed, and as what."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from chassis.runtime import Runtime
from chassis.subjects import Listing, Subject, SubjectRpc

KEPT = {
    "employments and the records of appointments": "they belong to the enterprise, and hold ids alone",
    "what an enterprise's directory says of its employees": "it is the enterprise's, under its key",
}

_EMPLOYMENTS = """
SELECT id, tenant_id AS enterprise_id, account_id, title, duties, create_time FROM wrtn_employees
WHERE member_id = %(member)s AND id > %(after)s ORDER BY id LIMIT %(page)s
"""
_APPOINTMENTS = """
SELECT act.id, act.tenant_id AS enterprise_id, act.team_id, title_before, title_after, role_before,
    role_after, act.create_time
FROM wrtn_appointments AS act
JOIN wrtn_employees AS employee ON employee.tenant_id = act.tenant_id AND employee.id = act.employee_id
WHERE employee.member_id = %(member)s AND act.id > %(after)s ORDER BY act.id LIMIT %(page)s
"""
_COMPANIONS = """
SELECT companion.id, companion.tenant_id AS enterprise_id, companion.team_id, companion.role,
    companion.create_time
FROM wrtn_companions AS companion
JOIN wrtn_employees AS employee
    ON employee.tenant_id = companion.tenant_id AND employee.id = companion.employee_id
WHERE employee.member_id = %(member)s AND companion.id > %(after)s ORDER BY companion.id LIMIT %(page)s
"""


def documents(subject: Subject) -> Iterator[Listing]:
    """Answers the listings of a subject. Why somebody was appointed is the enterprise's to tell."""
    member = {"member": subject.member_id}
    yield Listing("employments", subject.everything, _EMPLOYMENTS, member)
    yield Listing("appointments", subject.everything, _APPOINTMENTS, member)
    yield Listing("team_roles", subject.everything, _COMPANIONS, member)


def rpc(runtime: Runtime[Any]) -> SubjectRpc:
    """Answers the servicer."""
    return SubjectRpc(runtime, documents, kept=KEPT)

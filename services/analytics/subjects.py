"""What analytics holds about a member: sums by account and employee, and ids in audit copies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from chassis.runtime import Runtime
from chassis.subjects import Listing, Subject, SubjectRpc

KEPT = {"sums of usage, and audit copies": "they hold ids alone"}

_COPIES = """
SELECT id, tenant_id, service, action, target_id, create_time FROM wrtn_audit_copies
WHERE tenant_id = ANY (%(tenants)s) AND id > %(after)s ORDER BY id LIMIT %(page)s
"""


def documents(subject: Subject) -> Iterator[Listing]:
    """Answers the listings of a subject: sums are in billing's usages already."""
    yield Listing("audit_copies", subject.own, _COPIES, {"tenants": list(subject.owners)})


def rpc(runtime: Runtime[Any]) -> SubjectRpc:
    """Answers the servicer."""
    return SubjectRpc(runtime, documents, kept=KEPT)

"""The call being served: who calls, until when, and under which id. The interceptor sets it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import Enum
from uuid import UUID

from chassis.rpc.origins import Network
from chassis.scope import Scope


class CallerKind(Enum):
    """How the caller proved who it is."""

    ANONYMOUS = "anonymous"
    MEMBER = "member"
    SERVICE = "service"
    PEER = "peer"


@dataclass(frozen=True, slots=True)
class TeamPlace:
    """Where a team stands, and what the employee is there."""

    team_id: UUID
    ancestor_ids: tuple[UUID, ...]
    """The teams above, the nearest first."""
    role: int
    """The greatest wrtn.access.v1.Role held in the team or above it."""
    companion: bool
    """Whether the employee is a companion of this very team."""


@dataclass(frozen=True, slots=True)
class Access:
    """Who an account is in its enterprise, as enterprise.v1 ResolveAccess answers."""

    enterprise_id: UUID
    employee_id: UUID
    member_id: UUID
    title: int
    """A wrtn.access.v1.Title."""
    roles: Mapping[UUID, int] = field(default_factory=dict)
    """The teams in which the employee is a companion, each with the role held in that very team."""
    team: TeamPlace | None = None
    """The team that was asked about; None if none was, or if the enterprise has none such."""
    duties: frozenset[int] = frozenset()
    """The wrtn.access.v1.Duty of a manager; an owner has them all without."""
    granted: bool = False
    """Whether the resource that was asked about may be used; False if none was."""
    content_readable: bool = False
    """Whether owners and managers may read the content of the enterprise's accounts."""
    good_for: float | None = None
    """Seconds after which the answer changes by itself, if it does: when a deputy's time is over."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls. The kind says which other fields are set.

    MEMBER: member_id, login_id, account_id and its tenant_id, staff (a wrtn.access.v1.StaffRight);
    access if an enterprise rule admitted the call. With `api_key` the member is represented by a key of
    theirs: login_id is the key's id, scopes say "read" and "write", and staff is never set. SERVICE:
    credential_id, scopes, and tenant_id unless the credential is platform-wide. PEER: peer, the name of the
    calling service.
    """

    kind: CallerKind = CallerKind.ANONYMOUS
    member_id: UUID | None = None
    login_id: UUID | None = None
    account_id: UUID | None = None
    tenant_id: UUID | None = None
    staff: int = 0
    credential_id: UUID | None = None
    scopes: frozenset[str] = frozenset()
    peer: str | None = None
    access: Access | None = None
    networks: tuple[Network, ...] = ()
    """From where alone the enterprise of the acting account, or of the key, allows calls; empty for all."""
    api_key: bool = False

    @property
    def scope(self) -> Scope:
        """What this caller's transactions may see: the acting account's tenant, and the member's own rows."""
        tenants = frozenset((self.tenant_id,)) if self.tenant_id else frozenset[UUID]()
        return Scope(tenants, self.member_id)

    @property
    def key(self) -> str:
        """Names the owner of an idempotency key; empty for anonymous callers."""
        return str(self.member_id or self.credential_id or self.peer or "")


ANONYMOUS = Caller()


@dataclass(slots=True)
class Trail:
    """What the audit trail is owed for a call, and what it got; looked at when the call ends well."""

    owed: bool = False
    """Whether nothing but a right as staff lets the caller do this, so that it must not go unseen."""
    written: bool = False
    """Whether an entry was committed, by this call or by the one whose answer it repeats."""

    @property
    def missing(self) -> bool:
        """Whether an entry is owed still."""
        return self.owed and not self.written


@dataclass(frozen=True, slots=True)
class Call:
    """One RPC in progress. `deadline` is on the clock of time.monotonic(), None if the call has none."""

    method: str
    """The full name, "/wrtn.identity.v1.AuthService/SignIn"."""
    caller: Caller = ANONYMOUS
    deadline: float | None = None
    request_id: str = ""
    """Names this call in logs and errors; not the request's idempotency key."""
    idempotency_key: str = ""
    """The metadata `idempotency-key`; the request's own `request_id` goes before it."""
    address: str = ""
    """The client's address, as far as one is known; `chassis.rpc.origins` says whom it believes."""
    device: str = ""
    """What the client says that it is: its `User-Agent`, which nothing proves."""
    trail: Trail = field(default_factory=Trail, compare=False)

    def remaining(self) -> float | None:
        """Answers the seconds left until the deadline, never negative; None if there is none."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())


_current: ContextVar[Call | None] = ContextVar("wrtn_call", default=None)


def current() -> Call:
    """Answers the call being served; raises LookupError outside of one."""
    call = _current.get()
    if call is None:
        raise LookupError("no call is being served here")
    return call


def current_or_none() -> Call | None:
    """Answers the call being served, or None in jobs, consumers and tests."""
    return _current.get()


def rests_on_staff() -> None:
    """Says that a use case let the caller in by their right as staff: what they do must be audited."""
    current().trail.owed = True


def audited() -> None:
    """Says that the trail has an entry of what the current call does, if one is being served."""
    call = _current.get()
    if call is not None:
        call.trail.written = True


def enter(call: Call) -> None:
    """Makes this the current call of the running task; the interceptor's business, and of tests."""
    _current.set(call)

"""What an open connection may do: record in one session, for one account, by one credential."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from chassis.crypto import DataKey
from services.sessions.attributions import Pinned
from services.sessions.forms import Form


@dataclass(frozen=True, slots=True)
class Holder:
    """The member, login and account in whose name a connection records."""

    tenant_id: UUID
    account_id: UUID
    member_id: UUID
    login_id: UUID
    team_id: UUID | None
    """The session's team."""

    @property
    def personal(self) -> bool:
        """Whether the account is no employee's: it is its own tenant then."""
        return self.tenant_id == self.account_id


@dataclass(frozen=True, slots=True)
class Place:
    """Where a connection records, as the 16 bytes of each id: the hot path builds no UUID objects."""

    tenant: bytes
    session: bytes
    connection: bytes


@dataclass(frozen=True, slots=True)
class Standing:
    """What is asked before a connection opens: whose its usage is, and what its histories are checked by."""

    pinned: Pinned
    form: Form | None


@dataclass(slots=True, eq=False)
class Authority:
    """An open connection as the process holds it. The key and the attribution are renewed as it goes."""

    connection_id: UUID
    session_id: UUID
    credential_id: UUID
    model: str
    """Whose usage it is where a frame names no other: the session's, or what stands for its procedure."""
    resources: tuple[str, ...]
    """What the enterprise has to grant for the session."""
    procedure: str
    """The id of the session's procedure; empty for a chat session."""
    form: Form | None
    """What its histories are checked against."""
    holder: Holder
    key: DataKey
    pinned: Pinned
    fresh_until: float
    """Until when, on time.monotonic(), the attribution may be used unasked."""
    key_until: float
    """The same of the key."""
    admitted: set[str] = field(default_factory=set)
    """Other models that frames named and that were granted, since the rights were renewed last."""
    place: Place = field(init=False)
    session_text: str = field(init=False)

    def __post_init__(self) -> None:
        self.place = Place(self.holder.tenant_id.bytes, self.session_id.bytes, self.connection_id.bytes)
        self.session_text = str(self.session_id)

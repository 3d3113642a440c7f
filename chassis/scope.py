"""What row level security admits in one transaction; both callers and the database speak of it."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Scope:
    """The tenants, and the member, whose rows a transaction may see. The empty scope sees none."""

    tenants: frozenset[UUID] = frozenset()
    member_id: UUID | None = None

    @classmethod
    def of(cls, *tenants: UUID, member_id: UUID | None = None) -> Scope:
        """Builds the scope of these tenants."""
        return cls(frozenset(tenants), member_id)

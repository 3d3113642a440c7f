"""A member, and the accounts they hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from chassis.scope import Scope
from wrtn.subjects.v1 import subjects_pb2


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose data is asked for, and under which tenants it lies."""

    member_id: UUID
    personal_account_ids: tuple[UUID, ...] = ()
    enterprise_accounts: Mapping[UUID, UUID] = field(default_factory=dict)
    """The enterprise of each account."""

    @classmethod
    def of(cls, message: subjects_pb2.Subject) -> Subject:
        """Reads one from the wire."""
        accounts = {UUID(each.account_id): UUID(each.enterprise_id) for each in message.enterprise_accounts}
        personal = tuple(sorted(UUID(each) for each in message.personal_account_ids))
        return cls(UUID(message.member_id), personal, accounts)

    def message(self) -> subjects_pb2.Subject:
        """Writes it to the wire."""
        accounts = [
            subjects_pb2.Subject.EnterpriseAccount(account_id=str(account), enterprise_id=str(enterprise))
            for account, enterprise in self.enterprise_accounts.items()
        ]
        return subjects_pb2.Subject(
            member_id=str(self.member_id),
            personal_account_ids=map(str, self.personal_account_ids),
            enterprise_accounts=accounts,
        )

    @property
    def owners(self) -> tuple[UUID, ...]:
        """The owners of the keys that an erasure destroys, in the order in which they are locked."""
        return tuple(sorted({self.member_id, *self.personal_account_ids}))

    @property
    def own(self) -> Scope:
        """The rows of the member, and of their personal accounts."""
        return Scope.of(*self.owners, member_id=self.member_id)

    @property
    def everything(self) -> Scope:
        """The rows of the enterprises of the accounts as well; queries in it name the account or member."""
        return Scope(self.own.tenants | frozenset(self.enterprise_accounts.values()), self.member_id)

"""The queries, each class bound to one transaction. A file an aggregate.

Row level security decides whose rows there are; the conditions here say which of them are meant.
"""

from services.identity.store.accounts import Accounts
from services.identity.store.credentials import Credentials
from services.identity.store.logins import Logins
from services.identity.store.members import Members, admit_member
from services.identity.store.principals import Principals

__all__ = ["Accounts", "Credentials", "Logins", "Members", "Principals", "admit_member"]

"""The queries, each class bound to one transaction. A file an aggregate.

Row level security decides whose rows there are; the conditions here say which of them are meant.
"""

from services.identity.store.accounts import Accounts, Holdings
from services.identity.store.api_keys import ApiKeys
from services.identity.store.avatars import Avatars
from services.identity.store.break_glass import BreakGlasses
from services.identity.store.credentials import Credentials
from services.identity.store.emails import Emails
from services.identity.store.enterprise_holds import Standing, keep_standings
from services.identity.store.federation import Flows, Identities, SingleSignOns
from services.identity.store.holds import Holds
from services.identity.store.logins import Logins
from services.identity.store.members import Members, admit_member
from services.identity.store.principals import Principals
from services.identity.store.resets import Resets
from services.identity.store.staff import Staffs
from services.identity.store.transfers import Transfers

__all__ = [
    "Accounts",
    "ApiKeys",
    "Avatars",
    "BreakGlasses",
    "Credentials",
    "Emails",
    "Flows",
    "Holdings",
    "Holds",
    "Identities",
    "Logins",
    "Members",
    "Principals",
    "Resets",
    "SingleSignOns",
    "Staffs",
    "Standing",
    "Transfers",
    "admit_member",
    "keep_standings",
]

"""The tables of identity.

What is personal stands under the member's own key; beside an address stands its keyed hash.
"""

from services.identity.models.accounts import Account, AccountKind
from services.identity.models.base import PLATFORM, Base
from services.identity.models.credentials import ServiceCredential, SigningKey
from services.identity.models.logins import Login, LoginEnd, LoginMethod, RefreshToken
from services.identity.models.mails import Mail, MailState
from services.identity.models.members import Email, EmailVerification, Member, MemberState, VerifiedAddress
from services.identity.models.staff import StaffAppointment

__all__ = [
    "PLATFORM",
    "Account",
    "AccountKind",
    "Base",
    "Email",
    "EmailVerification",
    "Login",
    "LoginEnd",
    "LoginMethod",
    "Mail",
    "MailState",
    "Member",
    "MemberState",
    "RefreshToken",
    "ServiceCredential",
    "SigningKey",
    "StaffAppointment",
    "VerifiedAddress",
]

"""The tables of identity.

What is personal stands under the member's own key; beside an address stands its keyed hash.
"""

from services.identity.models.accounts import Account, AccountHolding, AccountKind, HoldingCause
from services.identity.models.base import PLATFORM, Base
from services.identity.models.credentials import ApiKey, CredentialKind, ServiceCredential, SigningKey
from services.identity.models.enterprises import EnterpriseHold
from services.identity.models.erasures import ErasureCertificate, Export
from services.identity.models.factors import FactorState, RecoveryCode, SignInChallenge, TotpFactor
from services.identity.models.federation import (
    FederatedFlow,
    FederatedIdentity,
    FederatedSubject,
    SingleSignOn,
)
from services.identity.models.guesses import Guess, KnownDevice
from services.identity.models.holds import Hold, HoldAction, Suspension
from services.identity.models.logins import Login, LoginEnd, LoginMethod, RefreshToken
from services.identity.models.mails import Mail, MailState
from services.identity.models.members import (
    Avatar,
    Email,
    EmailVerification,
    Member,
    MemberState,
    VerifiedAddress,
)
from services.identity.models.passkeys import AnsweredChallenge, Passkey
from services.identity.models.passwords import PasswordReset
from services.identity.models.policies import SignInPolicy
from services.identity.models.staff import BreakGlass, Staff, StaffAppointment
from services.identity.models.transfers import AccountTransfer, TransferState

__all__ = [
    "PLATFORM",
    "Account",
    "AccountHolding",
    "AccountKind",
    "AccountTransfer",
    "AnsweredChallenge",
    "ApiKey",
    "Avatar",
    "Base",
    "BreakGlass",
    "CredentialKind",
    "Email",
    "EmailVerification",
    "EnterpriseHold",
    "ErasureCertificate",
    "Export",
    "FactorState",
    "FederatedFlow",
    "FederatedIdentity",
    "FederatedSubject",
    "Guess",
    "Hold",
    "HoldAction",
    "HoldingCause",
    "KnownDevice",
    "Login",
    "LoginEnd",
    "LoginMethod",
    "Mail",
    "MailState",
    "Member",
    "MemberState",
    "Passkey",
    "PasswordReset",
    "RecoveryCode",
    "RefreshToken",
    "ServiceCredential",
    "SignInChallenge",
    "SignInPolicy",
    "SigningKey",
    "SingleSignOn",
    "Staff",
    "StaffAppointment",
    "Suspension",
    "TotpFactor",
    "TransferState",
    "VerifiedAddress",
]

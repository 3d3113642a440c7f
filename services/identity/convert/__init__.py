"""Rows to messages, pure."""

from services.identity.convert.accounts import account, holding, transfer
from services.identity.convert.credentials import credential, enterprise_key, member_key
from services.identity.convert.members import avatar, email, member, suspension
from services.identity.convert.sign_ins import (
    federated_identity,
    login,
    passkey,
    passkey_options,
    second_factor,
    sign_in_policy,
    single_sign_on,
    token_pair,
)
from services.identity.convert.staffing import break_glass, staff, staff_appointment
from services.identity.convert.times import moment, timestamp

__all__ = [
    "account",
    "avatar",
    "break_glass",
    "credential",
    "email",
    "enterprise_key",
    "federated_identity",
    "holding",
    "login",
    "member",
    "member_key",
    "moment",
    "passkey",
    "passkey_options",
    "second_factor",
    "sign_in_policy",
    "single_sign_on",
    "staff",
    "staff_appointment",
    "suspension",
    "timestamp",
    "token_pair",
    "transfer",
]

"""Sign-in policies: what an enterprise asks of who acts in it, and whether a login has it."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from chassis.access import policy as access_policy
from chassis.access.policy import AddressNotAllowed
from chassis.database import Snapshot, Transaction
from chassis.rpc.origins import Network
from services.identity import events
from services.identity.errors import EtagMismatch, PolicyLocksOutAuthor, RangeInvalid
from services.identity.models import Account, Login, LoginMethod, SignInPolicy
from services.identity.store import Logins
from services.identity.store.policies import SignInPolicies
from wrtn.identity.v1.principals_pb2 import SignInRefusal

FIELDS = ("second_factor_required", "single_sign_on_required", "allowed_ranges", "session_hours")
"""What an update may change."""
NONE = SignInRefusal.SIGN_IN_REFUSAL_UNSPECIFIED
_SECOND_FACTORS = frozenset({LoginMethod.TOTP, LoginMethod.RECOVERY_CODE, LoginMethod.PASSKEY})


def refusal_of(policy: SignInPolicy | None, login: Login, now: datetime) -> SignInRefusal.ValueType:
    """Answers what the policy misses in a login; the unspecified refusal if nothing."""
    if policy is None:
        return NONE
    own = login.connection_tenant_id == policy.tenant_id
    if policy.single_sign_on_required and not own:
        return SignInRefusal.SIGN_IN_REFUSAL_SINGLE_SIGN_ON_REQUIRED
    # The enterprise's own provider of identity answers for the factors itself.
    if policy.second_factor_required and not own and _SECOND_FACTORS.isdisjoint(login.methods):
        return SignInRefusal.SIGN_IN_REFUSAL_SECOND_FACTOR_REQUIRED
    if policy.session_hours and now - login.create_time >= timedelta(hours=policy.session_hours):
        return SignInRefusal.SIGN_IN_REFUSAL_SESSION_TOO_OLD
    return NONE


async def enforce(snapshot: Snapshot, account: Account, login_id: UUID, address: str) -> None:
    """Raises the errors of chassis.access.policy unless the login of the account's holder may act by it."""
    policy = await SignInPolicies(snapshot).get(account.tenant_id)
    login = await Logins(snapshot).get(account.holder_member_id, login_id)
    if policy is None or login is None:
        return
    if refusal := refusal_of(policy, login, snapshot.now):
        access_policy.refuse(refusal)
    access_policy.check_address(_networks(policy.allowed_ranges), address)


async def get(snapshot: Snapshot, tenant_id: UUID) -> SignInPolicy:
    """Answers a tenant's policy; one that was never set asks for nothing and has version 0."""
    found = await SignInPolicies(snapshot).get(tenant_id)
    return found or SignInPolicy(
        tenant_id=tenant_id,
        second_factor_required=False,
        single_sign_on_required=False,
        allowed_ranges=[],
        session_hours=0,
        version=0,
    )


async def update(
    tx: Transaction,
    tenant_id: UUID,
    author: tuple[UUID, UUID],
    address: str,
    etag: str,
    changes: Mapping[str, Any],
) -> SignInPolicy:
    """Changes a policy; `author` are member and login of who does, `address` theirs.

    Raises EtagMismatch, RangeInvalid, and PolicyLocksOutAuthor for one that refuses its author.
    """
    policy = await SignInPolicies(tx).lock(tenant_id, tx.now)
    if etag and etag != str(policy.version):
        raise EtagMismatch("Somebody else has changed the policy; read it again.", field="policy.etag")
    for name, value in changes.items():
        setattr(policy, name, _canonical(value) if name == "allowed_ranges" else value)
    await _admit_author(tx, policy, author, address)
    policy.version += 1
    policy.update_time = tx.now
    events.sign_in_policy_changed(tx, tenant_id, policy.version)
    tx.audit(
        "sign_in_policy.changed",
        tenant_id=tenant_id,
        target_id=tenant_id,
        second_factor_required=int(policy.second_factor_required),
        single_sign_on_required=int(policy.single_sign_on_required),
        session_hours=policy.session_hours,
        allowed_ranges=" ".join(policy.allowed_ranges),
    )
    return policy


async def _admit_author(
    tx: Transaction, policy: SignInPolicy, author: tuple[UUID, UUID], address: str
) -> None:
    login = await Logins(tx).get(*author)
    refusal = refusal_of(policy, login, tx.now) if login is not None else NONE
    try:
        access_policy.check_address(_networks(policy.allowed_ranges), address)
    except AddressNotAllowed as error:
        raise _locked_out(error.reason) from error
    if refusal:
        raise _locked_out(SignInRefusal.Name(refusal).removeprefix("SIGN_IN_REFUSAL_"))


def _locked_out(reason: str) -> PolicyLocksOutAuthor:
    return PolicyLocksOutAuthor(
        "The policy would refuse you yourself: sign in as it asks for, then set it.",
        field="policy",
        refusal=reason,
    )


def _canonical(ranges: Iterable[str]) -> list[str]:
    try:
        return list(dict.fromkeys(str(ipaddress.ip_network(each.strip())) for each in ranges))
    except ValueError as error:
        raise RangeInvalid(
            'A range is no network, as in "203.0.113.0/24" or "2001:db8::/32".', field="policy.allowed_ranges"
        ) from error


def _networks(ranges: Iterable[str]) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(each) for each in ranges)

"""Logins, the ways to sign in, and sign-in policies, as messages. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from services.identity import models
from services.identity.convert.times import timestamp
from services.identity.factors.factors import Standing
from services.identity.factors.passkeys import Named
from services.identity.logins.logins import Seen
from services.identity.sign_in.challenges import Challenge
from services.identity.sign_in.signing_in import Tokens
from wrtn.identity.v1 import (
    auth_pb2,
    federation_pb2,
    logins_pb2,
    passkeys_pb2,
    policies_pb2,
    second_factors_pb2,
    single_sign_on_pb2,
)


def login(seen: Seen, current: UUID) -> logins_pb2.Login:
    """Answers a login; `current` is that of the call."""
    row = seen.login
    return logins_pb2.Login(
        id=str(row.id),
        methods=[logins_pb2.LoginMethod.Value(f"LOGIN_METHOD_{each}") for each in row.methods],
        device=seen.origin.device,
        address=seen.origin.address,
        create_time=timestamp(row.create_time),
        last_use_time=timestamp(row.last_use_time),
        expire_time=timestamp(row.expire_time),
        current=row.id == current,
    )


def second_factor(standing: Standing) -> second_factors_pb2.SecondFactor:
    """Answers how a second factor stands."""
    return second_factors_pb2.SecondFactor(
        totp_active=standing.active,
        create_time=timestamp(standing.activate_time),
        recovery_codes_left=standing.codes_left,
    )


def passkey(named: Named) -> passkeys_pb2.Passkey:
    """Answers a passkey."""
    row = named.passkey
    return passkeys_pb2.Passkey(
        id=str(row.id),
        display_name=named.display_name,
        create_time=timestamp(row.create_time),
        last_use_time=timestamp(row.last_use_time),
    )


def passkey_options(options: Mapping[str, Any]) -> passkeys_pb2.PasskeyOptions:
    """Answers the options of WebAuthn."""
    answer = passkeys_pb2.PasskeyOptions()
    answer.public_key.update(dict(options))
    return answer


def sign_in_policy(row: models.SignInPolicy) -> policies_pb2.SignInPolicy:
    """Answers a sign-in policy."""
    return policies_pb2.SignInPolicy(
        enterprise_id=str(row.tenant_id),
        second_factor_required=row.second_factor_required,
        single_sign_on_required=row.single_sign_on_required,
        allowed_ranges=row.allowed_ranges,
        session_hours=row.session_hours,
        etag=str(row.version),
        update_time=timestamp(row.update_time),
    )


def token_pair(outcome: Tokens | Challenge) -> auth_pb2.TokenPair:
    """Answers the tokens of a login, or the challenge in their place."""
    if isinstance(outcome, Challenge):
        challenge = auth_pb2.SecondFactorChallenge(
            challenge=outcome.text, expire_time=timestamp(outcome.expire_time)
        )
        return auth_pb2.TokenPair(second_factor=challenge)
    tokens = outcome
    acting = tokens.acting
    return auth_pb2.TokenPair(
        access_token=tokens.access_token,
        access_expire_time=timestamp(tokens.access_expire_time),
        refresh_token=acting.refresh_token,
        refresh_expire_time=timestamp(acting.refresh_expire_time),
        member_id=str(acting.member_id),
        account_id=str(acting.account_id),
        device_token=tokens.acting.device_token,
    )


def federated_identity(row: models.FederatedIdentity, email: str) -> federation_pb2.FederatedIdentity:
    """Answers a linked identity, with the address that was told when it was linked."""
    return federation_pb2.FederatedIdentity(
        id=str(row.id),
        provider_id="" if row.tenant_id is not None else row.provider_id,
        enterprise_id=str(row.tenant_id or ""),
        email=email,
        create_time=timestamp(row.create_time),
    )


def single_sign_on(row: models.SingleSignOn) -> single_sign_on_pb2.SingleSignOn:
    """Answers the connection of an enterprise, without the client's secret."""
    return single_sign_on_pb2.SingleSignOn(
        id=str(row.id),
        enterprise_id=str(row.tenant_id),
        display_name=row.display_name,
        issuer=row.issuer,
        client_id=row.client_id,
        link_employees=row.link_employees,
        create_time=timestamp(row.create_time),
        update_time=timestamp(row.update_time),
    )

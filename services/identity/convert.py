"""Rows to protos."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from chassis import timestamps
from services.identity import avatars, members, models
from services.identity.break_glass import Use
from services.identity.challenges import Challenge
from services.identity.emails import Shown
from services.identity.factors import Standing
from services.identity.holds import Entry
from services.identity.logins import Seen
from services.identity.members import Profile
from services.identity.models import PLATFORM, TransferState
from services.identity.passkeys import Named
from services.identity.signing_in import Tokens
from wrtn.access.v1.access_pb2 import StaffRight
from wrtn.identity.v1 import (
    accounts_pb2,
    api_keys_pb2,
    auth_pb2,
    avatars_pb2,
    break_glass_pb2,
    credentials_pb2,
    federation_pb2,
    logins_pb2,
    members_pb2,
    passkeys_pb2,
    policies_pb2,
    second_factors_pb2,
    single_sign_on_pb2,
    staff_pb2,
    suspensions_pb2,
    transfers_pb2,
)


def timestamp(moment: datetime | None) -> Timestamp | None:
    """Answers the moment; None leaves the field unset."""
    return timestamps.of(moment) if moment is not None else None


def moment(message: Message, field: str) -> datetime | None:
    """Reads a moment of a request; None for a field that is not set."""
    stamp: Timestamp = getattr(message, field)
    return stamp.ToDatetime(UTC) if message.HasField(field) else None


def member(profile: Profile) -> members_pb2.Member:
    """Answers a member, with the addresses that the profile holds."""
    row = profile.member
    return members_pb2.Member(
        id=str(row.id),
        display_name=profile.display_name,
        state=members_pb2.Member.State.Value(f"STATE_{row.state}"),
        emails=[email(Shown(each, address)) for each, address in profile.emails],
        locale=row.locale,
        time_zone=row.time_zone,
        staff_right=cast("StaffRight.ValueType", row.staff_right),
        create_time=timestamp(row.create_time),
        phone=profile.phone,
        etag=members.etag(row),
        avatar_time=timestamp(profile.avatar_time),
        holds=[
            members_pb2.Hold(
                reason=members_pb2.Hold.Reason.Value(f"REASON_{each.reason}"),
                create_time=timestamp(each.create_time),
            )
            for each in profile.holds
        ],
    )


def suspension(entry: Entry) -> suspensions_pb2.Suspension:
    """Answers an entry of the record of holds."""
    row = entry.row
    return suspensions_pb2.Suspension(
        id=str(row.id),
        member_id=str(row.member_id),
        action=suspensions_pb2.Suspension.Action.Value(f"ACTION_{row.action}"),
        reason=members_pb2.Hold.Reason.Value(f"REASON_{row.reason}"),
        note=entry.note,
        decider_member_id=str(row.decider_member_id),
        create_time=timestamp(row.create_time),
    )


def avatar(shown: avatars.Shown) -> avatars_pb2.Avatar:
    """Answers an avatar, with the image if it was read."""
    return avatars_pb2.Avatar(
        member_id=str(shown.row.member_id),
        media_type=shown.row.media_type,
        image=shown.image,
        create_time=timestamp(shown.row.create_time),
    )


def email(shown: Shown) -> members_pb2.Email:
    """Answers an address."""
    row = shown.row
    return members_pb2.Email(
        id=str(row.id), address=shown.address, verify_time=timestamp(row.verify_time), primary=row.is_primary
    )


def account(row: models.Account) -> accounts_pb2.Account:
    """Answers an account."""
    return accounts_pb2.Account(
        id=str(row.id),
        tenant_id=str(row.tenant_id),
        kind=accounts_pb2.Account.Kind.Value(f"KIND_{row.kind}"),
        code=row.code,
        holder_member_id=str(row.holder_member_id),
        create_time=timestamp(row.create_time),
        inherited=row.inherited,
    )


def holding(row: models.AccountHolding, end_time: datetime | None) -> accounts_pb2.AccountHolding:
    """Answers a time in which one member held an account."""
    return accounts_pb2.AccountHolding(
        sequence=row.sequence,
        holder_member_id=str(row.holder_member_id),
        cause=accounts_pb2.AccountHolding.Cause.Value(f"CAUSE_{row.cause}"),
        transfer_id=str(row.transfer_id or ""),
        start_time=timestamp(row.start_time),
        end_time=timestamp(end_time),
    )


def transfer(row: models.AccountTransfer, now: datetime) -> transfers_pb2.AccountTransfer:
    """Answers a transfer; an offer has expired when its time is over, whether or not that was noted yet."""
    over = row.state == TransferState.PENDING and row.expire_time is not None and row.expire_time <= now
    state = TransferState.EXPIRED if over else row.state
    return transfers_pb2.AccountTransfer(
        id=str(row.id),
        account_id=str(row.account_id),
        tenant_id=str(row.tenant_id),
        state=transfers_pb2.AccountTransfer.State.Value(f"STATE_{state}"),
        holder_member_id=str(row.holder_member_id),
        receiver_member_id=str(row.receiver_member_id),
        decider_member_id=str(row.decider_member_id or ""),
        create_time=timestamp(row.create_time),
        expire_time=timestamp(row.expire_time),
        end_time=timestamp(row.expire_time if over else row.end_time),
    )


def credential(row: models.ServiceCredential) -> credentials_pb2.ServiceCredential:
    """Answers a credential, without its secret."""
    return credentials_pb2.ServiceCredential(
        id=str(row.id),
        enterprise_id="" if row.tenant_id == PLATFORM else str(row.tenant_id),
        display_name=row.display_name,
        scopes=row.scopes,
        create_time=timestamp(row.create_time),
        revoke_time=timestamp(row.revoke_time),
        expire_time=timestamp(row.expire_time),
        last_use_time=timestamp(row.last_use_time),
        old_secret_expire_time=timestamp(row.old_secret_expire_time),
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


def member_key(row: models.ApiKey, display_name: str) -> api_keys_pb2.ApiKey:
    """Answers an API key of a member, without its text."""
    return api_keys_pb2.ApiKey(
        member_id=str(row.member_id),
        account_id=str(row.account_id),
        display_name=display_name,
        **_key_fields(row),
    )


def enterprise_key(row: models.ServiceCredential) -> api_keys_pb2.ApiKey:
    """Answers an API key of an enterprise, without its text."""
    return api_keys_pb2.ApiKey(
        enterprise_id=str(row.tenant_id), display_name=row.display_name, **_key_fields(row)
    )


def _key_fields(row: models.ApiKey | models.ServiceCredential) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "scopes": row.scopes,
        "ending": row.ending,
        "create_time": timestamp(row.create_time),
        "expire_time": timestamp(row.expire_time),
        "last_use_time": timestamp(row.last_use_time),
        "revoke_time": timestamp(row.revoke_time),
    }


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
        device_token=tokens.device_token,
    )


def staff(row: models.Staff) -> staff_pb2.Staff:
    """Answers a member of staff."""
    return staff_pb2.Staff(
        member_id=str(row.member_id),
        staff_right=cast("StaffRight.ValueType", row.staff_right),
        appoint_time=timestamp(row.appoint_time),
    )


def staff_appointment(row: models.StaffAppointment, reason: str) -> staff_pb2.StaffAppointment:
    """Answers a record of an appointment."""
    return staff_pb2.StaffAppointment(
        member_id=str(row.member_id),
        right_before=cast("StaffRight.ValueType", row.right_before),
        right_after=cast("StaffRight.ValueType", row.right_after),
        decider_member_id=str(row.decider_member_id or ""),
        reason=reason,
        create_time=timestamp(row.create_time),
    )


def break_glass(use: Use) -> break_glass_pb2.BreakGlass:
    """Answers a use of break-glass."""
    row = use.row
    return break_glass_pb2.BreakGlass(
        id=str(row.id),
        tenant_id=str(row.tenant_id),
        member_id=str(row.member_id),
        reason=use.reason,
        create_time=timestamp(row.create_time),
        expire_time=timestamp(row.expire_time),
        close_time=timestamp(row.close_time),
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

"""Members, their addresses, avatars and suspensions, as messages. Pure."""

from __future__ import annotations

from typing import cast

from services.identity.convert.times import timestamp
from services.identity.members import avatars, members
from services.identity.members.emails import Shown
from services.identity.members.holds import Entry
from services.identity.members.members import Profile
from wrtn.access.v1.access_pb2 import StaffRight
from wrtn.identity.v1 import (
    avatars_pb2,
    members_pb2,
    suspensions_pb2,
)


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

"""What only a person who signed in may change is judged by what is true at this moment, not from a cache.

Rights are taken here past the service: no event tells of it, so the caches stay warm.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from tests.identity import make
from tests.identity.make import SignedIn
from tests.identity.service import Identity
from wrtn.access.v1.access_pb2 import StaffRight, Title
from wrtn.identity.v1 import api_keys_pb2, credentials_pb2, policies_pb2, single_sign_on_pb2, suspensions_pb2
from wrtn.identity.v1.members_pb2 import GetMemberRequest, Hold

Change = Callable[[Identity, str, SignedIn], Awaitable[Any]]


def set_policy(identity: Identity, enterprise_id: str, by: SignedIn) -> Awaitable[Any]:
    """Changes how people may sign in."""
    request = policies_pb2.UpdateSignInPolicyRequest(
        policy=policies_pb2.SignInPolicy(enterprise_id=enterprise_id, session_hours=1),
        update_mask=FieldMask(paths=["session_hours"]),
    )
    return identity.policies.UpdateSignInPolicy(request, metadata=by.metadata)


def create_credential(identity: Identity, enterprise_id: str, by: SignedIn) -> Awaitable[Any]:
    """Makes a credential."""
    request = credentials_pb2.CreateServiceCredentialRequest(
        enterprise_id=enterprise_id, display_name="Recorder", scopes=["sessions.record"]
    )
    return identity.credentials.CreateServiceCredential(request, metadata=by.metadata)


def create_key(identity: Identity, enterprise_id: str, by: SignedIn) -> Awaitable[Any]:
    """Makes a key of the enterprise."""
    request = api_keys_pb2.CreateEnterpriseApiKeyRequest(
        enterprise_id=enterprise_id, display_name="Directory", scopes=["scim.provision"]
    )
    return identity.keys.CreateEnterpriseApiKey(request, metadata=by.metadata)


def remove_single_sign_on(identity: Identity, enterprise_id: str, by: SignedIn) -> Awaitable[Any]:
    """Removes the provider of the enterprise."""
    request = single_sign_on_pb2.DeleteSingleSignOnRequest(enterprise_id=enterprise_id)
    return identity.single_sign_on.DeleteSingleSignOn(request, metadata=by.metadata)


async def refusal(call: Awaitable[Any]) -> str:
    """Answers why a call is refused."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call
    return make.reason(refused.value)


async def see(identity: Identity, by: SignedIn, member_id: str = "me") -> None:
    """Reads, which warms the cache of principals and may be answered from it."""
    await identity.members.GetMember(GetMemberRequest(member_id=member_id), metadata=by.metadata)


async def read_policy(identity: Identity, enterprise_id: str, by: SignedIn) -> None:
    """Reads as an owner, which warms the cache of rights."""
    request = policies_pb2.GetSignInPolicyRequest(enterprise_id=enterprise_id)
    await identity.policies.GetSignInPolicy(request, metadata=by.metadata)


@pytest.mark.parametrize("change", [set_policy, create_credential, create_key, remove_single_sign_on])
async def test_an_owner_of_a_moment_ago_changes_nothing(identity: Identity, change: Change) -> None:
    enterprise_id, owner = await make.owner(identity)
    await read_policy(identity, enterprise_id, owner)
    identity.titles[enterprise_id, owner.account_id] = Title.TITLE_MEMBER
    assert await refusal(change(identity, enterprise_id, owner)) == "NOT_ADMITTED"
    for table in ("wrtn_sign_in_policies", "wrtn_service_credentials"):
        assert (
            await make.as_superuser(identity, f"SELECT FROM {table} WHERE tenant_id = '{enterprise_id}'")
            == []
        )


@pytest.mark.parametrize(
    "taken",
    [
        "UPDATE wrtn_logins SET end_time = now(), end_reason = 'ENDED' WHERE member_id = '{member}'",
        "UPDATE wrtn_members SET state = 'PENDING' WHERE id = '{member}'",
        "UPDATE wrtn_accounts SET holder_member_id = '{other}' WHERE id = '{account}'",
    ],
    ids=["the login has ended", "the member may not act", "another holds the account"],
)
async def test_who_may_not_act_since_a_moment_changes_nothing(identity: Identity, taken: str) -> None:
    (enterprise_id, owner), other = await make.owner(identity), await make.member(identity)
    await read_policy(identity, enterprise_id, owner)
    ids = {"member": owner.member_id, "other": other.member_id, "account": owner.account_id}
    await make.as_superuser(identity, taken.format(**ids))
    assert await refusal(create_credential(identity, enterprise_id, owner)) == "PRINCIPAL_ENDED"


async def test_staff_of_a_moment_ago_suspend_nobody(identity: Identity) -> None:
    moderator, member = await make.staff(identity), await make.member(identity)
    await see(identity, moderator, member.member_id)
    nobody = StaffRight.STAFF_RIGHT_UNSPECIFIED
    await make.as_superuser(
        identity, f"UPDATE wrtn_members SET staff_right = {nobody} WHERE id = '{moderator.member_id}'"
    )
    request = suspensions_pb2.SuspendMemberRequest(
        member_id=member.member_id, reason=Hold.REASON_ABUSE, note="Spam."
    )
    call = identity.suspensions.SuspendMember(request, metadata=moderator.metadata)
    assert await refusal(call) == "NOT_ADMITTED"
    await see(identity, member)

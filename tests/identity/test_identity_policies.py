"""What an enterprise asks of a sign-in: judged when an account is taken up, and on each call."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from chassis.clock import Clock
from chassis.testing.callers import Metadata
from chassis.testing.waiting import until
from tests.identity import make
from tests.identity.make import SignedIn
from tests.identity.service import Identity, MovableClock
from tests.identity.test_identity_api_keys import create, create_enterprise_key
from tests.identity.test_identity_passkeys import enter, options, registered
from tests.identity.test_identity_second_factor import challenged, complete, enrol
from wrtn.access.v1.access_pb2 import Duty, Title
from wrtn.identity.v1 import auth_pb2, members_pb2, policies_pb2, principals_pb2
from wrtn.identity.v1.policies_pb2 import SignInPolicy

INSIDE, OUTSIDE = make.client("203.0.113.7"), make.client("198.51.100.7")


async def set_policy(
    identity: Identity, owner: SignedIn, enterprise_id: str, metadata: Metadata = (), **asked: Any
) -> SignInPolicy:
    """Sets the policy, to these fields alone."""
    request = policies_pb2.UpdateSignInPolicyRequest(
        policy=SignInPolicy(enterprise_id=enterprise_id, **asked), update_mask=FieldMask(paths=["*"])
    )
    return await identity.policies.UpdateSignInPolicy(request, metadata=(*owner.metadata, *metadata))


async def call(identity: Identity, token: str, metadata: Metadata = ()) -> str:
    """Calls with an access token; answers why it is refused, or nothing."""
    try:
        await identity.members.GetMember(
            members_pb2.GetMemberRequest(member_id="me"), metadata=(*make.bearer(token), *metadata)
        )
    except grpc.aio.AioRpcError as error:
        return make.reason(error)
    return ""


async def switch(
    identity: Identity, pair: auth_pb2.TokenPair, account_id: str, metadata: Metadata = ()
) -> str:
    """Takes up an account; answers why it is refused, or nothing."""
    try:
        await make.refresh(identity, pair.refresh_token, account_id, metadata=metadata)
    except grpc.aio.AioRpcError as error:
        return make.reason(error)
    return ""


async def owner_with_app(identity: Identity, clock: MovableClock) -> tuple[str, SignedIn]:
    """Makes an owner who has signed in with a second factor."""
    enterprise_id, owner = await make.owner(identity)
    app, _ = await enrol(identity, clock, owner)
    pair = await complete(identity, await challenged(identity, owner.email), totp_code=app.code())
    pair = await make.refresh(identity, pair.refresh_token, owner.account_id)
    return enterprise_id, SignedIn(owner.email, pair)


async def employee(identity: Identity, enterprise_id: str) -> tuple[SignedIn, SignedIn]:
    """Makes an employee; answers their login as it acts by the enterprise's account, and as themselves."""
    own = await make.member(identity)
    account = await make.open_account(identity, own.member_id, enterprise_id=enterprise_id)
    identity.titles[enterprise_id, account.id] = Title.TITLE_MEMBER
    acting = await make.refresh(identity, own.pair.refresh_token, account.id)
    return SignedIn(own.email, acting), await make.sign_in(identity, own.email)


async def test_a_policy_that_was_never_set_asks_for_nothing(identity: Identity) -> None:
    enterprise_id, owner = await make.owner(identity)
    found = await identity.policies.GetSignInPolicy(
        policies_pb2.GetSignInPolicyRequest(enterprise_id=enterprise_id), metadata=owner.metadata
    )
    assert found == SignInPolicy(enterprise_id=enterprise_id, etag="0")
    assert await make.rows(identity, "SELECT * FROM wrtn_sign_in_policies", tenants=(enterprise_id,)) == []


async def test_a_second_factor_is_asked_for_on_each_call_and_at_the_switch(
    identity: Identity, clock: MovableClock
) -> None:
    enterprise_id, owner = await owner_with_app(identity, clock)
    acting, own = await employee(identity, enterprise_id)
    assert await call(identity, acting.pair.access_token) == ""
    await set_policy(identity, owner, enterprise_id, second_factor_required=True)
    assert await call(identity, owner.pair.access_token) == ""
    assert await call(identity, acting.pair.access_token) == "SECOND_FACTOR_REQUIRED"
    assert await call(identity, own.pair.access_token) == "", "the personal account is bound by nobody"
    assert await switch(identity, own.pair, acting.account_id) == "SECOND_FACTOR_REQUIRED"
    assert await switch(identity, own.pair, own.account_id) == "", "the refresh token is still good"
    assert await switch(identity, acting.pair, "") == "SECOND_FACTOR_REQUIRED"


async def test_a_passkey_is_a_second_factor_too(identity: Identity, clock: MovableClock) -> None:
    enterprise_id, owner = await owner_with_app(identity, clock)
    acting, own = await employee(identity, enterprise_id)
    authenticator = await registered(identity, own)
    await set_policy(identity, owner, enterprise_id, second_factor_required=True)
    pair = await enter(identity, authenticator.get(await options(identity)))
    assert await switch(identity, pair, acting.account_id) == ""


async def test_only_the_allowed_ranges_may_call(identity: Identity) -> None:
    enterprise_id, owner = await make.owner(identity)
    acting, own = await employee(identity, enterprise_id)
    policy = await set_policy(
        identity, owner, enterprise_id, INSIDE, allowed_ranges=["203.0.113.0/24", "2001:DB8::/32"]
    )
    assert list(policy.allowed_ranges) == ["203.0.113.0/24", "2001:db8::/32"]
    for metadata in (INSIDE, make.client("2001:db8::9"), make.client("::ffff:203.0.113.9")):
        assert await call(identity, acting.pair.access_token, metadata) == ""
    for metadata in (OUTSIDE, (), make.client("2001:db9::9")):
        assert await call(identity, acting.pair.access_token, metadata) == "ADDRESS_NOT_ALLOWED"
    assert await call(identity, own.pair.access_token, OUTSIDE) == ""
    assert await switch(identity, own.pair, acting.account_id, OUTSIDE) == "ADDRESS_NOT_ALLOWED"
    assert await switch(identity, own.pair, acting.account_id, INSIDE) == ""


async def test_a_session_ends_so_many_hours_after_signing_in_however_often_it_is_refreshed(
    identity: Identity, clock: MovableClock
) -> None:
    enterprise_id, owner = await make.owner(identity)
    acting, _ = await employee(identity, enterprise_id)
    await set_policy(identity, owner, enterprise_id, session_hours=8)
    clock.ahead += timedelta(hours=7, minutes=55)
    pair = await make.refresh(identity, acting.pair.refresh_token)
    assert await call(identity, pair.access_token) == ""
    clock.ahead += timedelta(minutes=6)
    await until(lambda: refused_with(identity, pair.access_token, "SESSION_TOO_OLD"), seconds=8)
    assert await switch(identity, pair, "") == "SESSION_TOO_OLD"
    again = await make.sign_in(identity, acting.email)
    assert await switch(identity, again.pair, acting.account_id) == ""


async def refused_with(identity: Identity, token: str, reason: str, metadata: Metadata = ()) -> bool:
    """Says whether the token is refused for this reason."""
    return await call(identity, token, metadata) == reason


async def test_single_sign_on_means_that_of_the_enterprise_itself(identity: Identity) -> None:
    enterprise_id, owner = await make.owner(identity)
    acting, own = await employee(identity, enterprise_id)
    stranger = str(Clock().new_id())
    own_login = f"UPDATE wrtn_logins SET connection_tenant_id = '%s' WHERE member_id = '{owner.member_id}'"
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await set_policy(identity, owner, enterprise_id, single_sign_on_required=True)
    assert make.reason(refused.value) == "POLICY_LOCKS_OUT_AUTHOR"
    await make.as_superuser(identity, own_login % enterprise_id)
    await set_policy(
        identity, owner, enterprise_id, single_sign_on_required=True, second_factor_required=True
    )
    assert await call(identity, owner.pair.access_token) == ""
    assert await call(identity, acting.pair.access_token) == "SINGLE_SIGN_ON_REQUIRED"
    await make.as_superuser(
        identity,
        f"UPDATE wrtn_logins SET connection_tenant_id = '{stranger}' WHERE member_id = '{own.member_id}'",
    )
    assert await switch(identity, own.pair, acting.account_id) == "SINGLE_SIGN_ON_REQUIRED"


@pytest.mark.parametrize(
    ("asked", "missing"),
    [
        ({"second_factor_required": True}, "SECOND_FACTOR_REQUIRED"),
        ({"single_sign_on_required": True}, "SINGLE_SIGN_ON_REQUIRED"),
        ({"session_hours": 1}, "SESSION_TOO_OLD"),
        ({"allowed_ranges": ["192.0.2.0/24"]}, "ADDRESS_NOT_ALLOWED"),
    ],
)
async def test_a_policy_that_would_lock_out_its_author_is_refused_and_changes_nothing(
    identity: Identity, clock: MovableClock, asked: dict[str, Any], missing: str
) -> None:
    enterprise_id, owner = await make.owner(identity)
    clock.ahead += timedelta(hours=2)
    pair = await make.refresh(identity, owner.pair.refresh_token)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await set_policy(identity, SignedIn(owner.email, pair), enterprise_id, **asked)
    assert make.reason(refused.value) == "POLICY_LOCKS_OUT_AUTHOR"
    assert make.info(refused.value).metadata["refusal"] == missing
    assert await make.published(identity, "sign_in_policy.changed", enterprise_id) == []
    assert await make.rows(identity, "SELECT * FROM wrtn_sign_in_policies", tenants=(enterprise_id,)) == []


async def test_another_replica_knows_of_the_change_within_a_second(
    identity: Identity, replica: Identity, clock: MovableClock
) -> None:
    enterprise_id, owner = await owner_with_app(identity, clock)
    acting, _ = await employee(identity, enterprise_id)
    assert await call(replica, acting.pair.access_token) == ""
    await set_policy(identity, owner, enterprise_id, second_factor_required=True)
    await until(lambda: refused_with(replica, acting.pair.access_token, "SECOND_FACTOR_REQUIRED"), seconds=1)
    await set_policy(identity, owner, enterprise_id)
    await until(lambda: refused_with(replica, acting.pair.access_token, ""), seconds=1)


async def test_signing_out_is_allowed_whatever_the_policy_says(identity: Identity) -> None:
    enterprise_id, owner = await make.owner(identity)
    acting, own = await employee(identity, enterprise_id)
    await set_policy(identity, owner, enterprise_id, INSIDE, allowed_ranges=["203.0.113.0/24"])
    await identity.auth.SignOut(auth_pb2.SignOutRequest(), metadata=acting.metadata)
    assert await call(identity, acting.pair.access_token, INSIDE) == "PRINCIPAL_ENDED"
    assert await call(identity, own.pair.access_token) == ""


async def test_peers_are_told_what_is_missing_and_from_where_calls_are_allowed(identity: Identity) -> None:
    enterprise_id, owner = await make.owner(identity)
    acting, _ = await employee(identity, enterprise_id)
    await set_policy(identity, owner, enterprise_id, INSIDE, allowed_ranges=["203.0.113.0/24"])
    (login,) = await make.as_superuser(
        identity,
        f"SELECT id FROM wrtn_logins WHERE member_id = '{acting.member_id}' ORDER BY id LIMIT 1",
    )
    asked = principals_pb2.ResolvePrincipalRequest.MemberLogin(
        member_id=acting.member_id, login_id=str(login[0]), account_id=acting.account_id
    )
    found = await identity.principals.ResolvePrincipal(
        principals_pb2.ResolvePrincipalRequest(member=asked), metadata=identity.peer("sessions")
    )
    assert (found.active, list(found.allowed_ranges)) == (True, ["203.0.113.0/24"])


@pytest.mark.parametrize("text", ["203.0.113.7/24", "localhost", "203.0.113.0/33", " "])
async def test_what_is_no_network_is_refused(identity: Identity, text: str) -> None:
    enterprise_id, owner = await make.owner(identity)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await set_policy(identity, owner, enterprise_id, allowed_ranges=["127.0.0.0/8", text])
    assert make.reason(refused.value) == "RANGE_INVALID"


async def test_an_update_by_an_old_etag_is_refused(identity: Identity) -> None:
    enterprise_id, owner = await make.owner(identity)
    first = await set_policy(identity, owner, enterprise_id, session_hours=8, etag="0")
    await set_policy(identity, owner, enterprise_id, session_hours=9, etag=first.etag)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await set_policy(identity, owner, enterprise_id, session_hours=10, etag=first.etag)
    assert make.reason(refused.value) == "ETAG_MISMATCH"


async def test_a_mask_changes_what_it_names_alone_and_the_change_is_audited(identity: Identity) -> None:
    enterprise_id, owner = await make.owner(identity)
    await set_policy(identity, owner, enterprise_id, session_hours=8)
    request = policies_pb2.UpdateSignInPolicyRequest(
        policy=SignInPolicy(enterprise_id=enterprise_id, allowed_ranges=["127.0.0.0/8"]),
        update_mask=FieldMask(paths=["allowed_ranges"]),
    )
    changed = await identity.policies.UpdateSignInPolicy(request, metadata=owner.metadata)
    assert (changed.session_hours, list(changed.allowed_ranges)) == (8, ["127.0.0.0/8"])
    rows = await make.as_superuser(
        identity, f"SELECT action FROM wrtn_audit_entries WHERE tenant_id = '{enterprise_id}'"
    )
    assert rows.count(("sign_in_policy.changed",)) == 2


@pytest.mark.parametrize("who", ["member", "manager", "neighbour"])
async def test_who_does_not_run_the_enterprise_sets_no_policy(identity: Identity, who: str) -> None:
    enterprise_id, _ = await make.owner(identity)
    _, neighbour = await make.owner(identity)
    acting, _ = await employee(identity, enterprise_id)
    if who == "manager":
        identity.titles[enterprise_id, acting.account_id] = Title.TITLE_MANAGER
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await set_policy(identity, neighbour if who == "neighbour" else acting, enterprise_id)
    wanted = grpc.StatusCode.NOT_FOUND if who == "neighbour" else grpc.StatusCode.PERMISSION_DENIED
    assert refused.value.code() is wanted


async def test_nobody_sees_the_policy_of_an_enterprise_in_which_they_hold_no_account(
    identity: Identity,
) -> None:
    enterprise_id, owner = await make.owner(identity)
    acting, _ = await employee(identity, enterprise_id)
    stranger = await make.member(identity)
    await set_policy(identity, owner, enterprise_id, session_hours=8)
    query = "SELECT session_hours FROM wrtn_sign_in_policies"
    assert len(await make.rows(identity, query, acting.member_id)) == 1
    assert await make.rows(identity, query, stranger.member_id) == []
    assert await make.rows(identity, query) == []


async def test_a_manager_entrusted_with_security_sets_the_policy(identity: Identity) -> None:
    enterprise_id, _ = await make.owner(identity)
    acting, _ = await employee(identity, enterprise_id)
    identity.titles[enterprise_id, acting.account_id] = Title.TITLE_MANAGER
    identity.duties[enterprise_id, acting.account_id] = Duty.DUTY_SECURITY
    assert (await set_policy(identity, acting, enterprise_id, session_hours=8)).session_hours == 8


async def test_keys_of_members_and_of_the_enterprise_are_bound_by_the_ranges_alone(
    identity: Identity, clock: MovableClock
) -> None:
    enterprise_id, owner = await owner_with_app(identity, clock)
    acting, _ = await employee(identity, enterprise_id)
    key = (await create(identity, acting)).key
    enterprise_key = (await create_enterprise_key(identity, enterprise_id, owner)).key
    await set_policy(
        identity,
        owner,
        enterprise_id,
        INSIDE,
        allowed_ranges=["203.0.113.0/24"],
        second_factor_required=True,
    )
    assert await call(identity, key, INSIDE) == ""
    assert await call(identity, key, OUTSIDE) == "ADDRESS_NOT_ALLOWED"
    assert await call(identity, enterprise_key, INSIDE) == "NOT_ADMITTED"
    assert await call(identity, enterprise_key, OUTSIDE) == "ADDRESS_NOT_ALLOWED"

"""Service credentials, and what principals may do."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp

from chassis.clock import Clock
from chassis.testing.waiting import until
from services.identity import bearers
from tests.identity import make
from tests.identity.make import SignedIn
from tests.identity.service import Identity, MovableClock
from wrtn.access.v1.access_pb2 import Duty, Title
from wrtn.identity.v1 import auth_pb2, credentials_pb2
from wrtn.identity.v1.credentials_pb2 import CreateServiceCredentialResponse
from wrtn.identity.v1.principals_pb2 import Principal, ResolvePrincipalRequest


async def create(
    identity: Identity,
    enterprise_id: str,
    signed_in: SignedIn,
    *,
    request_id: str = "",
    name: str = "Chat server",
) -> CreateServiceCredentialResponse:
    """Makes a credential of an enterprise."""
    request = credentials_pb2.CreateServiceCredentialRequest(
        enterprise_id=enterprise_id, display_name=name, scopes=["sessions.record"], request_id=request_id
    )
    return await identity.credentials.CreateServiceCredential(request, metadata=signed_in.metadata)


async def issue(identity: Identity, credential_id: str, secret: str) -> auth_pb2.IssueServiceTokenResponse:
    """Exchanges a credential for a token."""
    return await identity.auth.IssueServiceToken(
        auth_pb2.IssueServiceTokenRequest(credential_id=credential_id, secret=secret)
    )


async def resolve(
    identity: Identity, *, member: tuple[str, str, str] | None = None, credential_id: str = ""
) -> Principal:
    """Asks as a peer; `member` is member, login and account."""
    if member is None:
        request = ResolvePrincipalRequest(credential_id=credential_id)
    else:
        member_id, login_id, account_id = member
        request = ResolvePrincipalRequest(
            member=ResolvePrincipalRequest.MemberLogin(
                member_id=member_id, login_id=login_id, account_id=account_id
            )
        )
    return await identity.principals.ResolvePrincipal(request, metadata=identity.peer("sessions"))


async def login_of(identity: Identity, signed_in: SignedIn) -> str:
    """Answers the id of the only login."""
    ((login_id,),) = await make.rows(identity, "SELECT id FROM wrtn_logins", signed_in.member_id)
    return str(login_id)


async def test_an_enterprise_credential_reaches_its_tenant_alone(identity: Identity) -> None:
    enterprise_id, signed_in = await make.owner(identity)
    made = await create(identity, enterprise_id, signed_in)
    answer = await issue(identity, made.credential.id, made.secret)
    principal = await resolve(identity, credential_id=made.credential.id)
    assert made.secret.startswith("wrtn_sk_")
    assert answer.access_token.count(".") == 2
    assert principal == Principal(active=True, tenant_id=enterprise_id, scopes=["sessions.record"])


@pytest.mark.parametrize("how", ["wrong secret", "unknown", "revoked"])
async def test_a_bad_credential_is_refused_alike(identity: Identity, how: str) -> None:
    enterprise_id, signed_in = await make.owner(identity)
    made = await create(identity, enterprise_id, signed_in)
    credential_id, secret = made.credential.id, made.secret
    if how == "wrong secret":
        secret = "wrtn_sk_wrong"
    elif how == "unknown":
        credential_id = str(Clock().new_id())
    else:
        await revoke(identity, enterprise_id, signed_in, credential_id)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await issue(identity, credential_id, secret)
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert make.reason(refused.value) == "CREDENTIAL_REFUSED"
    assert refused.value.details() == "The credential is not valid."


async def revoke(
    identity: Identity, enterprise_id: str, signed_in: SignedIn, credential_id: str
) -> credentials_pb2.ServiceCredential:
    """Revokes a credential."""
    request = credentials_pb2.RevokeServiceCredentialRequest(
        enterprise_id=enterprise_id, credential_id=credential_id
    )
    return await identity.credentials.RevokeServiceCredential(request, metadata=signed_in.metadata)


async def test_revoking_ends_a_credential_once(identity: Identity) -> None:
    enterprise_id, signed_in = await make.owner(identity)
    made = await create(identity, enterprise_id, signed_in)
    answers = await asyncio.gather(
        *(revoke(identity, enterprise_id, signed_in, made.credential.id) for _ in range(5))
    )
    assert all(each == answers[0] for each in answers)
    assert answers[0].HasField("revoke_time")
    assert await resolve(identity, credential_id=made.credential.id) == Principal()
    told = [
        each.credential_id
        for each in await make.published(identity, "credential.revoked", made.credential.id)
    ]
    assert told.count(made.credential.id) == 1


async def test_a_repeated_creation_does_not_show_the_secret_again(identity: Identity) -> None:
    enterprise_id, signed_in = await make.owner(identity)
    first = await create(identity, enterprise_id, signed_in, request_id="one")
    again = await create(identity, enterprise_id, signed_in, request_id="one")
    assert first.credential == again.credential
    assert first.secret
    assert not again.secret


async def test_a_secret_is_kept_as_a_hash(identity: Identity) -> None:
    enterprise_id, signed_in = await make.owner(identity)
    made = await create(identity, enterprise_id, signed_in, request_id="one")
    query = "SELECT secret_hash FROM wrtn_service_credentials"
    ((kept,),) = await make.rows(identity, query, tenants=(enterprise_id,))
    dump = await make.as_superuser(identity, "SELECT k::text FROM wrtn_idempotency_keys k")
    assert kept == bearers.digest(made.secret)
    assert made.secret not in str(dump)
    assert made.secret.encode().hex() not in str(dump)


async def test_a_neighbour_neither_sees_nor_revokes_a_credential(identity: Identity) -> None:
    enterprise_id, signed_in = await make.owner(identity)
    neighbours_id, neighbour = await make.owner(identity)
    made = await create(identity, enterprise_id, signed_in)
    listed = await identity.credentials.ListServiceCredentials(
        credentials_pb2.ListServiceCredentialsRequest(enterprise_id=neighbours_id),
        metadata=neighbour.metadata,
    )
    assert not listed.service_credentials
    for enterprise, credential in (
        (neighbours_id, made.credential.id),
        (neighbours_id, str(Clock().new_id())),
        (enterprise_id, made.credential.id),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await revoke(identity, enterprise, neighbour, credential)
        assert refused.value.code() is grpc.StatusCode.NOT_FOUND
    assert (await resolve(identity, credential_id=made.credential.id)).active


async def test_only_an_owner_makes_credentials(identity: Identity) -> None:
    enterprise_id, signed_in = await make.owner(identity)
    identity.titles[enterprise_id, signed_in.account_id] = Title.TITLE_MANAGER
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await create(identity, enterprise_id, signed_in)
    assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED


async def test_credentials_are_listed_the_newest_first(identity: Identity) -> None:
    enterprise_id, signed_in = await make.owner(identity)
    made = [await create(identity, enterprise_id, signed_in, name=f"number {n}") for n in range(5)]
    found: list[str] = []
    token = ""
    for _ in range(3):
        page = await identity.credentials.ListServiceCredentials(
            credentials_pb2.ListServiceCredentialsRequest(
                enterprise_id=enterprise_id, page_size=2, page_token=token
            ),
            metadata=signed_in.metadata,
        )
        found += [each.id for each in page.service_credentials]
        token = page.next_page_token
    assert found == [each.credential.id for each in reversed(made)]
    assert token == ""


async def test_a_name_with_a_nul_byte_is_no_failure_of_ours(identity: Identity) -> None:
    enterprise_id, signed_in = await make.owner(identity)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await create(identity, enterprise_id, signed_in, name="chat\x00server")
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_principal_is_active_with_its_login_and_account(identity: Identity) -> None:
    signed_in = await make.member(identity)
    login_id = await login_of(identity, signed_in)
    member_id, account_id = signed_in.member_id, signed_in.account_id
    own = Principal(active=True, tenant_id=account_id)
    assert await resolve(identity, member=(member_id, login_id, account_id)) == own
    assert await resolve(identity, member=(member_id, "", account_id)) == own
    assert await resolve(identity, member=(member_id, login_id, "")) == Principal(active=True)
    assert await resolve(identity, member=(member_id, "", "")) == Principal(active=True)


async def test_the_tenant_of_an_enterprise_account_is_the_enterprise(identity: Identity) -> None:
    signed_in = await make.member(identity)
    account = await make.open_account(identity, signed_in.member_id)
    principal = await resolve(identity, member=(signed_in.member_id, "", account.id))
    assert principal == Principal(active=True, tenant_id=account.tenant_id)


@pytest.mark.parametrize(
    "how", ["unknown member", "pending", "another's login", "another's account", "signed out", "credential"]
)
async def test_a_principal_that_may_not_act_is_answered_as_inactive(identity: Identity, how: str) -> None:
    signed_in, neighbour = await make.member(identity), await make.member(identity)
    asked = [signed_in.member_id, await login_of(identity, signed_in), signed_in.account_id]
    if how == "unknown member":
        asked[0] = str(Clock().new_id())
    elif how == "pending":
        await make.as_superuser(identity, "UPDATE wrtn_members SET state = 'PENDING'")
    elif how == "another's login":
        asked[1] = await login_of(identity, neighbour)
    elif how == "another's account":
        asked[2] = neighbour.account_id
    elif how == "signed out":
        await identity.auth.SignOut(auth_pb2.SignOutRequest(), metadata=signed_in.metadata)
    else:
        assert await resolve(identity, credential_id=str(Clock().new_id())) == Principal()
    if how != "credential":
        assert await resolve(identity, member=(asked[0], asked[1], asked[2])) == Principal()


async def test_only_peers_resolve_principals(identity: Identity) -> None:
    signed_in = await make.member(identity)
    request = ResolvePrincipalRequest(credential_id=str(Clock().new_id()))
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await identity.principals.ResolvePrincipal(request, metadata=signed_in.metadata)
    assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED


async def rotate(
    identity: Identity, enterprise_id: str, signed_in: SignedIn, credential_id: str, **more: Any
) -> credentials_pb2.RotateServiceCredentialResponse:
    """Gives a credential a new secret."""
    request = credentials_pb2.RotateServiceCredentialRequest(
        enterprise_id=enterprise_id, credential_id=credential_id, **more
    )
    return await identity.credentials.RotateServiceCredential(request, metadata=signed_in.metadata)


async def opens(identity: Identity, credential_id: str, secret: str) -> bool:
    """Says whether the secret gets a token."""
    try:
        return bool((await issue(identity, credential_id, secret)).access_token)
    except grpc.aio.AioRpcError as error:
        if make.reason(error) != "CREDENTIAL_REFUSED":
            raise
        return False


async def test_after_a_rotation_both_secrets_are_good_until_the_old_one_expires(
    identity: Identity, clock: MovableClock
) -> None:
    enterprise_id, signed_in = await make.owner(identity)
    made = await create(identity, enterprise_id, signed_in)
    rotated = await rotate(identity, enterprise_id, signed_in, made.credential.id)
    secrets = (made.secret, rotated.secret)
    assert [await opens(identity, made.credential.id, each) for each in secrets] == [True, True]
    clock.ahead += timedelta(hours=23, minutes=59)
    assert await opens(identity, made.credential.id, made.secret)
    clock.ahead += timedelta(seconds=61)
    assert [await opens(identity, made.credential.id, each) for each in secrets] == [False, True]


async def test_two_secrets_are_good_at_most_unless_all_old_ones_end_at_once(identity: Identity) -> None:
    enterprise_id, signed_in = await make.owner(identity)
    made = await create(identity, enterprise_id, signed_in)
    one = await rotate(identity, enterprise_id, signed_in, made.credential.id)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await rotate(identity, enterprise_id, signed_in, made.credential.id)
    assert make.reason(refused.value) == "SECRET_ROTATION_UNDER_WAY"
    two = await rotate(identity, enterprise_id, signed_in, made.credential.id, overlap=Duration())
    found = [
        await opens(identity, made.credential.id, each) for each in (made.secret, one.secret, two.secret)
    ]
    assert found == [False, False, True]
    assert not two.credential.HasField("old_secret_expire_time")


async def test_of_parallel_rotations_one_succeeds_and_no_secret_that_was_shown_is_lost(
    identity: Identity,
) -> None:
    enterprise_id, signed_in = await make.owner(identity)
    made = await create(identity, enterprise_id, signed_in)
    answers = await asyncio.gather(
        *(rotate(identity, enterprise_id, signed_in, made.credential.id) for _ in range(5)),
        return_exceptions=True,
    )
    (good,) = [each for each in answers if not isinstance(each, BaseException)]
    assert await opens(identity, made.credential.id, good.secret)
    assert await opens(identity, made.credential.id, made.secret)


async def test_a_repeated_rotation_does_not_show_the_secret_again_nor_rotate(identity: Identity) -> None:
    enterprise_id, signed_in = await make.owner(identity)
    made = await create(identity, enterprise_id, signed_in)
    first = await rotate(identity, enterprise_id, signed_in, made.credential.id, request_id="one")
    again = await rotate(identity, enterprise_id, signed_in, made.credential.id, request_id="one")
    assert again.credential == first.credential
    assert again.secret == ""
    assert await opens(identity, made.credential.id, first.secret)


async def test_a_credential_that_ended_is_not_rotated(identity: Identity) -> None:
    enterprise_id, signed_in = await make.owner(identity)
    made = await create(identity, enterprise_id, signed_in)
    await revoke(identity, enterprise_id, signed_in, made.credential.id)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await rotate(identity, enterprise_id, signed_in, made.credential.id)
    assert make.reason(refused.value) == "CREDENTIAL_ENDED"


async def test_a_credential_expires_with_its_tokens(identity: Identity, clock: MovableClock) -> None:
    enterprise_id, signed_in = await make.owner(identity)
    expire_time = Timestamp()
    expire_time.FromDatetime(clock.now() + timedelta(minutes=5))
    request = credentials_pb2.CreateServiceCredentialRequest(
        enterprise_id=enterprise_id,
        display_name="short",
        scopes=["sessions.record"],
        expire_time=expire_time,
    )
    made = await identity.credentials.CreateServiceCredential(request, metadata=signed_in.metadata)
    assert (await resolve(identity, credential_id=made.credential.id)).active
    clock.ahead += timedelta(minutes=5, seconds=1)
    assert not await opens(identity, made.credential.id, made.secret)
    assert await resolve(identity, credential_id=made.credential.id) == Principal()


async def test_a_credential_is_renamed_and_nothing_else_of_it_changes(identity: Identity) -> None:
    enterprise_id, signed_in = await make.owner(identity)
    made = await create(identity, enterprise_id, signed_in)
    wanted = credentials_pb2.ServiceCredential(
        id=made.credential.id, display_name="Another name", scopes=["scim.provision"]
    )
    request = credentials_pb2.UpdateServiceCredentialRequest(
        enterprise_id=enterprise_id, service_credential=wanted, update_mask=FieldMask(paths=["display_name"])
    )
    renamed = await identity.credentials.UpdateServiceCredential(request, metadata=signed_in.metadata)
    assert renamed.display_name == "Another name"
    assert renamed.scopes == ["sessions.record"]
    request.update_mask.paths[:] = ["scopes"]
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await identity.credentials.UpdateServiceCredential(request, metadata=signed_in.metadata)
    assert make.reason(refused.value) == "UPDATE_MASK_INVALID"


async def test_the_last_use_of_a_credential_is_known(identity: Identity) -> None:
    enterprise_id, signed_in = await make.owner(identity)
    made = await create(identity, enterprise_id, signed_in)
    await issue(identity, made.credential.id, made.secret)
    request = credentials_pb2.ListServiceCredentialsRequest(enterprise_id=enterprise_id)

    async def used() -> bool:
        listed = await identity.credentials.ListServiceCredentials(request, metadata=signed_in.metadata)
        return listed.service_credentials[0].HasField("last_use_time")

    assert await until(used)


async def test_a_manager_with_the_duty_of_security_keeps_credentials(identity: Identity) -> None:
    enterprise_id, signed_in = await make.owner(identity)
    identity.titles[enterprise_id, signed_in.account_id] = Title.TITLE_MANAGER
    identity.duties[enterprise_id, signed_in.account_id] = Duty.DUTY_SECURITY
    assert (await create(identity, enterprise_id, signed_in)).secret

"""API keys: shown once, kept as hashes, good by one account for as long as their member may act by it."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from chassis.clock import Clock
from chassis.testing.waiting import until
from services.identity import bearers
from services.identity.credentials import keys
from tests.identity import make
from tests.identity.make import SignedIn
from tests.identity.service import Identity, MovableClock
from wrtn.access.v1.access_pb2 import Duty, StaffRight, Title
from wrtn.identity.v1 import accounts_pb2, api_keys_pb2, auth_pb2, members_pb2
from wrtn.identity.v1.api_keys_pb2 import (
    ApiKey,
    CreateApiKeyRequest,
    CreateApiKeyResponse,
    CreateEnterpriseApiKeyRequest,
    CreateEnterpriseApiKeyResponse,
)
from wrtn.identity.v1.principals_pb2 import Principal, ResolvePrincipalRequest
from wrtn.identity.v1.transfers_pb2 import TransferAccountRequest

CODE = grpc.StatusCode
BOTH = ("read", "write")


async def create(identity: Identity, signed_in: SignedIn, *scopes: str, **more: Any) -> CreateApiKeyResponse:
    """Makes a key of a member."""
    request = CreateApiKeyRequest(display_name="Mina's laptop", scopes=scopes or BOTH, **more)
    return await identity.keys.CreateApiKey(request, metadata=signed_in.metadata)


async def create_enterprise_key(
    identity: Identity, enterprise_id: str, signed_in: SignedIn, *scopes: str, **more: Any
) -> CreateEnterpriseApiKeyResponse:
    """Makes a key of an enterprise."""
    request = CreateEnterpriseApiKeyRequest(
        enterprise_id=enterprise_id, display_name="Directory", scopes=scopes or ("scim.provision",), **more
    )
    return await identity.keys.CreateEnterpriseApiKey(request, metadata=signed_in.metadata)


async def revoke(identity: Identity, signed_in: SignedIn, key_id: str) -> ApiKey:
    """Revokes a key of a member."""
    request = api_keys_pb2.RevokeApiKeyRequest(api_key_id=key_id)
    return await identity.keys.RevokeApiKey(request, metadata=signed_in.metadata)


async def listed(identity: Identity, signed_in: SignedIn) -> list[ApiKey]:
    """Answers the member's keys."""
    request = api_keys_pb2.ListApiKeysRequest()
    return list((await identity.keys.ListApiKeys(request, metadata=signed_in.metadata)).api_keys)


async def code(call: Any) -> tuple[grpc.StatusCode, str]:
    """Answers how a call ends, with the reason of a refusal."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return error.code(), make.reason(error)
    return CODE.OK, ""


async def who(identity: Identity, key: str) -> str:
    """Answers the member whom identity takes the key's bearer for."""
    request = members_pb2.GetMemberRequest(member_id="me")
    return (await identity.members.GetMember(request, metadata=make.bearer(key))).id


async def works(identity: Identity, key: str) -> bool:
    """Says whether the key opens anything."""
    return (await code(who(identity, key)))[0] is CODE.OK


def after(clock: Clock, **ahead: float) -> Timestamp:
    """Answers a moment from now."""
    stamp = Timestamp()
    stamp.FromDatetime(clock.now() + timedelta(**ahead))
    return stamp


async def test_a_key_acts_as_its_member_by_the_account_it_was_made_for(identity: Identity) -> None:
    signed_in = await make.member(identity)
    account = await make.open_account(identity, signed_in.member_id)
    made = await create(identity, signed_in, account_id=account.id)
    request = ResolvePrincipalRequest.MemberLogin(
        member_id=signed_in.member_id, login_id=made.api_key.id, account_id=account.id
    )
    principal = await identity.principals.ResolvePrincipal(
        ResolvePrincipalRequest(member=request), metadata=identity.peer("sessions")
    )
    assert await who(identity, made.key) == signed_in.member_id
    assert principal == Principal(
        active=True,
        tenant_id=account.tenant_id,
        scopes=BOTH,
        account_id=account.id,
        api_key_id=made.api_key.id,
    )


async def test_a_key_in_the_place_of_a_login_acts_by_its_own_account_alone(identity: Identity) -> None:
    signed_in = await make.member(identity)
    account = await make.open_account(identity, signed_in.member_id)
    made = await create(identity, signed_in)
    request = ResolvePrincipalRequest.MemberLogin(
        member_id=signed_in.member_id, login_id=made.api_key.id, account_id=account.id
    )
    assert not (
        await identity.principals.ResolvePrincipal(
            ResolvePrincipalRequest(member=request), metadata=identity.peer("sessions")
        )
    ).active


async def test_a_read_key_reads_and_does_not_write_and_no_key_does_what_wants_a_person(
    identity: Identity,
) -> None:
    signed_in = await make.member(identity)
    read = make.bearer((await create(identity, signed_in, "read")).key)
    write = make.bearer((await create(identity, signed_in, "write")).key)
    accounts = accounts_pb2.ListAccountsRequest()
    assert (await code(identity.accounts.ListAccounts(accounts, metadata=read)))[0] is CODE.OK
    refused = await code(identity.accounts.ListAccounts(accounts, metadata=write))
    assert refused == (CODE.PERMISSION_DENIED, "KEY_SCOPE_MISSING")
    wants_person = (
        identity.auth.SignOut(auth_pb2.SignOutRequest(), metadata=write),
        identity.keys.CreateApiKey(CreateApiKeyRequest(display_name="x", scopes=["read"]), metadata=write),
        identity.keys.RevokeApiKey(
            api_keys_pb2.RevokeApiKeyRequest(api_key_id=str(Clock().new_id())), metadata=write
        ),
    )
    for each in wants_person:
        assert await code(each) == (CODE.PERMISSION_DENIED, "SIGN_IN_NEEDED")


async def test_a_key_is_shown_once_and_kept_as_a_hash_and_its_name_encrypted(identity: Identity) -> None:
    signed_in = await make.member(identity)
    made = await create(identity, signed_in, request_id="one")
    again = await create(identity, signed_in, request_id="one")
    query = "SELECT key_hash, ending, display_name FROM wrtn_api_keys"
    ((kept, ending, name),) = await make.rows(identity, query, signed_in.member_id)
    dump = str(await make.as_superuser(identity, "SELECT k::text FROM wrtn_idempotency_keys k"))
    assert again.api_key == made.api_key
    assert again.key == ""
    assert kept == bearers.digest(made.key)
    assert ending == made.api_key.ending == made.key[-4:]
    assert b"laptop" not in name
    assert made.key not in dump
    assert made.key.encode().hex() not in dump
    assert [each.display_name for each in await listed(identity, signed_in)] == ["Mina's laptop"]


async def test_a_revoked_key_ends_at_once_and_revoking_it_again_changes_nothing(identity: Identity) -> None:
    signed_in = await make.member(identity)
    made, other = await create(identity, signed_in), await create(identity, signed_in)
    assert await works(identity, made.key)
    answers = await asyncio.gather(*(revoke(identity, signed_in, made.api_key.id) for _ in range(5)))
    assert all(each.revoke_time == answers[0].revoke_time for each in answers)
    assert not await works(identity, made.key)
    assert await works(identity, other.key)
    (event,) = await make.published(identity, "api_key.revoked", signed_in.member_id)
    assert (event.api_key_id, event.member_id) == (made.api_key.id, signed_in.member_id)


async def test_a_key_ends_when_it_expires(identity: Identity, clock: MovableClock) -> None:
    signed_in = await make.member(identity)
    made = await create(identity, signed_in, expire_time=after(clock, hours=1))
    assert await works(identity, made.key)
    clock.ahead += timedelta(hours=1, seconds=1)
    identity.running.runtime.principals.clear()
    assert not await works(identity, made.key)


@pytest.mark.parametrize(
    ("change", "back"),
    [
        (
            "UPDATE wrtn_members SET state = 'PENDING' WHERE id = '{member}'",
            "UPDATE wrtn_members SET state = 'ACTIVE' WHERE id = '{member}'",
        ),
        (
            "UPDATE wrtn_accounts SET holder_member_id = '{other}' WHERE id = '{account}'",
            "UPDATE wrtn_accounts SET holder_member_id = '{member}' WHERE id = '{account}'",
        ),
    ],
    ids=["the member may not act", "another holds the account"],
)
async def test_member_and_holding_are_judged_each_time(change: str, back: str, identity: Identity) -> None:
    signed_in, other = await make.member(identity), await make.member(identity)
    account = await make.open_account(identity, signed_in.member_id)
    made = await create(identity, signed_in, account_id=account.id)
    ids = {"member": signed_in.member_id, "other": other.member_id, "account": account.id}
    for statement, good in ((change, False), (back, True)):
        await make.as_superuser(identity, statement.format(**ids))
        identity.running.runtime.principals.clear()
        assert await works(identity, made.key) is good


async def test_the_keys_for_an_account_end_with_its_transfer_and_do_not_come_back_with_it(
    identity: Identity,
) -> None:
    giver, receiver = await make.member(identity), await make.member(identity)
    account = await make.open_account(identity, giver.member_id)
    made = await create(identity, giver, account_id=account.id)
    kept = await create(identity, giver)
    for holder, other in ((giver, receiver), (receiver, giver)):
        request = TransferAccountRequest(
            transfer_id=str(Clock().new_id()),
            enterprise_id=account.tenant_id,
            account_id=account.id,
            holder_member_id=holder.member_id,
            receiver_member_id=other.member_id,
        )
        await identity.transfers.TransferAccount(request, metadata=identity.peer("enterprise"))
        await until(lambda: _refused(identity, made.key), seconds=1)
    assert await works(identity, kept.key)
    (event,) = await make.published(identity, "api_key.revoked", giver.member_id)
    assert event.api_key_id == made.api_key.id


async def _refused(identity: Identity, key: str) -> bool:
    return not await works(identity, key)


async def test_a_key_of_another_account_member_or_past_is_refused_and_changes_nothing(
    identity: Identity, clock: MovableClock
) -> None:
    signed_in, other = await make.member(identity), await make.member(identity)
    made = await create(identity, other)
    foreign = create(identity, signed_in, account_id=other.account_id)
    missing = create(identity, signed_in, account_id=str(Clock().new_id()))
    for each in (foreign, missing):
        assert await code(each) == (CODE.NOT_FOUND, "ACCOUNT_NOT_FOUND")
    for key_id in (made.api_key.id, str(Clock().new_id())):
        assert await code(revoke(identity, signed_in, key_id)) == (CODE.NOT_FOUND, "API_KEY_NOT_FOUND")
    past = create(identity, signed_in, expire_time=after(clock, seconds=-1))
    assert await code(past) == (CODE.INVALID_ARGUMENT, "EXPIRY_PAST")
    assert await code(create(identity, signed_in, "admin")) == (CODE.INVALID_ARGUMENT, "REQUEST_INVALID")
    assert await listed(identity, signed_in) == []
    assert await works(identity, made.key)


async def test_a_member_has_a_hundred_good_keys_at_most(
    identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "MOST", 2)
    signed_in = await make.member(identity)
    first, _ = await create(identity, signed_in), await create(identity, signed_in)
    refused = await code(create(identity, signed_in))
    assert refused == (CODE.FAILED_PRECONDITION, "API_KEYS_TOO_MANY")
    await revoke(identity, signed_in, first.api_key.id)
    assert (await create(identity, signed_in)).key


async def test_staff_rights_never_come_through_a_key(identity: Identity) -> None:
    signed_in, other = await make.member(identity), await make.member(identity)
    right = int(StaffRight.STAFF_RIGHT_ADMINISTRATOR)
    await make.as_superuser(
        identity, f"UPDATE wrtn_members SET staff_right = {right} WHERE id = '{signed_in.member_id}'"
    )
    identity.running.runtime.principals.clear()
    made = await create(identity, signed_in)
    request = members_pb2.GetMemberRequest(member_id=other.member_id)
    by_login = identity.members.GetMember(request, metadata=signed_in.metadata)
    by_key = identity.members.GetMember(request, metadata=make.bearer(made.key))
    assert (await code(by_login))[0] is CODE.OK
    assert (await code(by_key))[0] is CODE.NOT_FOUND


async def test_the_last_use_is_written_aside_and_once_a_minute_at_most(
    identity: Identity, clock: MovableClock
) -> None:
    signed_in = await make.member(identity)
    made = await create(identity, signed_in)

    async def use() -> None:
        identity.running.runtime.principals.clear()
        assert await works(identity, made.key)

    async def last_use_other_than(known: datetime | None) -> datetime | None:
        (key,) = await listed(identity, signed_in)
        found = key.last_use_time.ToDatetime() if key.HasField("last_use_time") else None
        return None if found == known else found

    assert await last_use_other_than(None) is None
    await use()
    first = await until(lambda: last_use_other_than(None))
    clock.ahead += timedelta(seconds=50)
    await use()
    clock.ahead += timedelta(seconds=40)
    await use()
    second = await until(lambda: last_use_other_than(first))
    assert first is not None
    assert second is not None
    assert second - first >= timedelta(seconds=89)


async def test_an_enterprise_key_is_a_principal_of_its_tenant_with_its_scopes(identity: Identity) -> None:
    enterprise_id, signed_in = await make.owner(identity)
    made = await create_enterprise_key(identity, enterprise_id, signed_in)
    principal = await identity.principals.ResolvePrincipal(
        ResolvePrincipalRequest(credential_id=made.api_key.id), metadata=identity.peer("enterprise")
    )
    assert principal == Principal(active=True, tenant_id=enterprise_id, scopes=["scim.provision"])
    # It is somebody, and not one of those whom this method admits.
    assert await code(who(identity, made.key)) == (CODE.PERMISSION_DENIED, "NOT_ADMITTED")
    request = api_keys_pb2.RevokeEnterpriseApiKeyRequest(
        enterprise_id=enterprise_id, api_key_id=made.api_key.id
    )
    revoked = await identity.keys.RevokeEnterpriseApiKey(request, metadata=signed_in.metadata)
    assert revoked.HasField("revoke_time")
    assert await code(who(identity, made.key)) == (CODE.UNAUTHENTICATED, "PRINCIPAL_ENDED")
    (event,) = await make.published(identity, "credential.revoked", made.api_key.id)
    assert event.credential_id == made.api_key.id


async def test_keys_and_credentials_of_an_enterprise_do_not_stand_for_each_other(identity: Identity) -> None:
    enterprise_id, signed_in = await make.owner(identity)
    made = await create_enterprise_key(identity, enterprise_id, signed_in)
    exchange = auth_pb2.IssueServiceTokenRequest(credential_id=made.api_key.id, secret=made.key)
    refused = await code(identity.auth.IssueServiceToken(exchange))
    assert refused == (CODE.UNAUTHENTICATED, "CREDENTIAL_REFUSED")
    wrong = made.key[:40] + ("A" if made.key[40] != "A" else "B") + made.key[41:]
    assert await code(who(identity, wrong)) == (CODE.UNAUTHENTICATED, "TOKEN_REFUSED")


async def test_who_keeps_the_keys_of_an_enterprise(identity: Identity) -> None:
    enterprise_id, signed_in = await make.owner(identity)
    acting = (enterprise_id, signed_in.account_id)
    request = api_keys_pb2.ListEnterpriseApiKeysRequest(enterprise_id=enterprise_id)
    await create_enterprise_key(identity, enterprise_id, signed_in)
    found = await identity.keys.ListEnterpriseApiKeys(request, metadata=signed_in.metadata)
    assert [each.display_name for each in found.api_keys] == ["Directory"]
    identity.titles[acting] = Title.TITLE_MANAGER
    identity.running.runtime.access.clear()
    refused = await code(create_enterprise_key(identity, enterprise_id, signed_in))
    assert refused[0] is CODE.PERMISSION_DENIED
    identity.duties[acting] = Duty.DUTY_SECURITY
    identity.running.runtime.access.clear()
    assert (await create_enterprise_key(identity, enterprise_id, signed_in)).key


async def test_a_neighbour_neither_sees_nor_revokes_the_key_of_an_enterprise(identity: Identity) -> None:
    enterprise_id, signed_in = await make.owner(identity)
    neighbours_id, neighbour = await make.owner(identity)
    made = await create_enterprise_key(identity, enterprise_id, signed_in)
    request = api_keys_pb2.ListEnterpriseApiKeysRequest(enterprise_id=neighbours_id)
    found = await identity.keys.ListEnterpriseApiKeys(request, metadata=neighbour.metadata)
    assert not found.api_keys
    for key_id in (made.api_key.id, str(Clock().new_id())):
        revoking = api_keys_pb2.RevokeEnterpriseApiKeyRequest(enterprise_id=neighbours_id, api_key_id=key_id)
        refused = await code(identity.keys.RevokeEnterpriseApiKey(revoking, metadata=neighbour.metadata))
        assert refused == (CODE.NOT_FOUND, "API_KEY_NOT_FOUND")


async def test_an_enterprise_key_has_scopes_that_exist_alone(identity: Identity) -> None:
    enterprise_id, signed_in = await make.owner(identity)
    refused = await code(create_enterprise_key(identity, enterprise_id, signed_in, "read"))
    assert refused == (CODE.INVALID_ARGUMENT, "SCOPE_UNKNOWN")


async def acts(identity: Identity, tenant_id: str) -> list[tuple[str, str]]:
    """Answers the audit of a tenant: what was done to what."""
    query = "SELECT action, target_id FROM wrtn_audit_entries ORDER BY create_time, id"
    return [
        (action, str(target)) for action, target in await make.rows(identity, query, tenants=(tenant_id,))
    ]


async def test_what_is_done_to_keys_and_credentials_is_audited(identity: Identity) -> None:
    enterprise_id, signed_in = await make.owner(identity)
    mine = await create(identity, signed_in)
    await revoke(identity, signed_in, mine.api_key.id)
    ours = await create_enterprise_key(identity, enterprise_id, signed_in)
    found = await acts(identity, enterprise_id)
    assert found[-3:] == [
        ("api_key.created", mine.api_key.id),
        ("api_key.revoked", mine.api_key.id),
        ("credential.created", ours.api_key.id),
    ]

"""The mail RPC: what other services have written."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest

from services.identity.models import PLATFORM
from tests.identity import make
from tests.identity.service import Identity
from tests.identity.smtp_server import code_in, text_of
from wrtn.identity.v1.mails_pb2 import SendMailRequest, SendMailResponse


async def send(identity: Identity, **values: Any) -> SendMailResponse:
    """Sends a mail as the enterprise service."""
    given = {"template": "verify_email", "values": {"token": "wrtn_ev_x"}, "request_id": make.fresh_id()}
    return await identity.mails.SendMail(SendMailRequest(**given | values), metadata=identity.peer())


async def queued(identity: Identity) -> int:
    """Answers how many mails there are, sent ones included."""
    ((count,),) = await make.rows(identity, "SELECT count(*) FROM wrtn_mails")
    return int(count)


async def test_a_mail_to_a_member_goes_to_the_primary_address(identity: Identity) -> None:
    signed_in = await make.member(identity)
    answer = await send(identity, member_id=signed_in.member_id)
    mail = await identity.mailbox.wait_for(signed_in.email)
    assert code_in(mail) == "wrtn_ev_x"
    assert mail["Message-ID"] == f"<{answer.mail_id}@example.com>"


async def test_a_mail_goes_to_an_address_that_is_nobodys(identity: Identity) -> None:
    email = make.fresh_email()
    answer = await send(identity, address=email)
    assert code_in(await identity.mailbox.wait_for(email)) == "wrtn_ev_x"
    ((owner,),) = await make.rows(identity, f"SELECT member_id FROM wrtn_mails WHERE id = '{answer.mail_id}'")
    assert owner == PLATFORM


async def test_a_mail_to_a_proven_address_stands_under_its_owners_key(identity: Identity) -> None:
    signed_in = await make.member(identity)
    answer = await send(identity, address=signed_in.email.upper())
    ((owner,),) = await make.rows(identity, f"SELECT member_id FROM wrtn_mails WHERE id = '{answer.mail_id}'")
    assert str(owner) == signed_in.member_id


async def test_a_mail_that_waits_is_not_readable_in_the_table(identity: Identity) -> None:
    email = make.fresh_email()
    with identity.mailbox.refusing("451 later"):
        answer = await send(identity, address=email, values={"token": "canary"})
        query = f"SELECT message FROM wrtn_mails WHERE id = '{answer.mail_id}'"
        ((message,),) = await make.as_superuser(identity, query)
    assert len(message) > 500
    assert email.encode() not in message
    assert b"canary" not in message


async def test_ten_repetitions_at_once_queue_one_mail(identity: Identity) -> None:
    email, request_id, before = make.fresh_email(), make.fresh_id(), await queued(identity)
    repeated = (send(identity, address=email, request_id=request_id) for _ in range(10))
    answers = await asyncio.gather(*repeated)
    assert len({each.mail_id for each in answers}) == 1
    assert await queued(identity) == before + 1


async def test_the_same_id_with_another_body_is_an_error(identity: Identity) -> None:
    request_id = make.fresh_id()
    await send(identity, address=make.fresh_email(), request_id=request_id)
    before = await queued(identity)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await send(identity, address=make.fresh_email(), request_id=request_id)
    assert make.reason(refused.value) == "IDEMPOTENCY_KEY_REUSED"
    assert await queued(identity) == before


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"template": "nothing_like_it"}, "MAIL_TEMPLATE_UNKNOWN"),
        ({"values": {}}, "MAIL_VALUE_MISSING"),
        ({"address": "no address"}, "EMAIL_INVALID"),
        ({"address": "a@example.com\r\nBcc: b@example.com"}, "EMAIL_INVALID"),
        ({"template": "../verify_email"}, "REQUEST_INVALID"),
        ({"request_id": ""}, "REQUEST_INVALID"),
        ({"member_id": "no id"}, "REQUEST_INVALID"),
    ],
)
async def test_what_is_wrong_is_told_and_queues_nothing(
    identity: Identity, values: dict[str, Any], reason: str
) -> None:
    recipient = {} if "member_id" in values else {"address": make.fresh_email()}
    request_id, before = make.fresh_id(), await queued(identity)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await send(identity, **{"request_id": request_id} | recipient | values)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert make.reason(refused.value) == reason
    assert await queued(identity) == before
    # Nothing of the refused request is kept: the same id is good for the right one.
    await send(identity, address=make.fresh_email(), request_id=request_id)


async def test_a_member_whom_nobody_knows_is_not_found(identity: Identity) -> None:
    for member_id in (str(PLATFORM), "0198d2f0-0000-7000-8000-000000000000"):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await send(identity, member_id=member_id)
        assert make.reason(refused.value) == "MEMBER_NOT_FOUND"


async def test_a_member_without_a_proven_address_has_none_to_write_to(identity: Identity) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await send(identity, member_id=await make.pending(identity))
    assert make.reason(refused.value) == "MEMBER_HAS_NO_ADDRESS"


async def test_no_value_adds_a_header(identity: Identity) -> None:
    email = make.fresh_email()
    await send(identity, address=email, values={"token": "x\r\nBcc: thief@example.com\r\n\r\nCode: forged"})
    mail = await identity.mailbox.wait_for(email)
    assert mail["Bcc"] is None
    assert "Code: x Bcc: thief@example.com Code: forged" in text_of(mail)


@pytest.mark.parametrize("token", ["박미나 \U0001f992", "x" * 3000, "naïve.\n.\r\n.\r\nQUIT"])
async def test_any_writing_arrives_as_it_was(identity: Identity, token: str) -> None:
    email = make.fresh_email()
    await send(identity, address=email, values={"token": token})
    assert f"Code: {' '.join(token.split())}\n" in text_of(await identity.mailbox.wait_for(email))


async def test_only_peers_have_mails_sent(identity: Identity) -> None:
    signed_in = await make.member(identity)
    before = await queued(identity)
    request = SendMailRequest(
        address=make.fresh_email(), template="verify_email", values={"token": "x"}, request_id=make.fresh_id()
    )
    for metadata in ((), signed_in.metadata):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await identity.mails.SendMail(request, metadata=metadata)
        assert refused.value.code() in (
            grpc.StatusCode.UNAUTHENTICATED,
            grpc.StatusCode.PERMISSION_DENIED,
        )
    assert await queued(identity) == before

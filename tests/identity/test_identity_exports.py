"""A member's data, gathered from every service for them alone."""

from __future__ import annotations

import asyncio
import hashlib
import json
import zipfile
from base64 import b64decode
from datetime import timedelta
from functools import partial
from uuid import UUID

import grpc

from chassis.blobs import Blobs
from chassis.database import Scope
from chassis.testing.waiting import until
from services.identity.federation import identities
from services.identity.federation.oidc.client import Asserted
from services.identity.federation.oidc.providers import Provider
from services.identity.models import Passkey
from services.identity.personal_data import exports
from tests.identity.data import World, documents, refused
from tests.identity.make import (
    as_superuser,
    member,
    registered,
    sign_in,
)
from wrtn.identity.v1 import exports_pb2
from wrtn.identity.v1.api_keys_pb2 import CreateApiKeyRequest
from wrtn.identity.v1.avatars_pb2 import SetAvatarRequest
from wrtn.identity.v1.transfers_pb2 import AcceptTransferRequest, OfferAccountRequest

PNG = b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)


async def test_an_export_holds_what_every_service_holds_about_the_member_and_nothing_of_others(
    suite: World,
) -> None:
    known, other = await member(suite.identity, display_name="Ann Lee"), await member(suite.identity)
    account = UUID(known.account_id)
    await suite.chat(account, account, UUID(known.member_id), "My plans", '{"text":"hello"}')
    await suite.chat(UUID(other.account_id), UUID(other.account_id), UUID(other.member_id), "Secret", '"no"')
    ended = await suite.export(known)
    assert (ended.progress.done, ended.progress.total) == (6, 6)
    archive = await suite.download(ended.result["export_id"], known)
    assert hashlib.sha256(archive).hexdigest() == ended.result["sha256"]
    assert len(archive) == int(ended.result["size"])
    found = documents(archive)
    assert found["identity/profile.jsonl"][0]["display_name"] == "Ann Lee"
    assert [each["address"] for each in found["identity/email_addresses.jsonl"]] == [known.email]
    assert [each["title"] for each in found["sessions/chat_sessions.jsonl"]] == ["My plans"]
    assert [each["body"] for each in found["sessions/histories.jsonl"]] == ['{"text":"hello"}']
    assert other.email.encode() not in archive
    assert "Secret" not in json.dumps(found)


async def test_it_holds_the_picture_the_ways_to_sign_in_by_name_and_what_the_member_held(
    suite: World,
) -> None:
    known, other = await registered(suite.identity), await member(suite.identity)
    await suite.identity.avatars.SetAvatar(
        SetAvatarRequest(member_id="me", image=PNG), metadata=known.metadata
    )
    made = await suite.identity.keys.CreateApiKey(
        CreateApiKeyRequest(display_name="The laptop's", scopes=["read"]), metadata=known.metadata
    )
    await _sign_in_otherwise(suite, UUID(known.member_id))
    offered = await suite.identity.transfers.OfferAccount(
        OfferAccountRequest(account_id=known.account_id, receiver_member_id=other.member_id),
        metadata=known.metadata,
    )
    await suite.identity.transfers.AcceptTransfer(
        AcceptTransferRequest(transfer_id=offered.id), metadata=other.metadata
    )
    mine = await sign_in(suite.identity, known.email)
    archive = await suite.download((await suite.export(mine)).result["export_id"], mine)
    found = {name: rows for name, rows in documents(archive).items() if name.startswith("identity/")}
    names = {name: rows[0] for name, rows in found.items()}
    assert b64decode(names["identity/avatar.jsonl"]["image"]) == PNG
    assert names["identity/api_keys.jsonl"]["display_name"] == "The laptop's"
    assert names["identity/passkeys.jsonl"]["display_name"] == "Phone"
    linked = names["identity/federated_identities.jsonl"]
    assert (linked["subject"], linked["email"]) == ("s-1", "ann@elsewhere.example")
    assert names["identity/logins.jsonl"]["device"] is not None
    moved = names["identity/account_transfers.jsonl"]
    assert (moved["id"], moved["state"], moved["receiver_member_id"]) == (
        offered.id,
        "ACCEPTED",
        other.member_id,
    )
    held = {each["id"]: each["periods"] for each in found["identity/account_holdings.jsonl"]}
    assert [each["cause"] for each in held[known.account_id]] == ["OPENED"]
    assert len(held) == 2
    actions = {each["action"] for each in found["identity/audit_entries.jsonl"]}
    assert {"email.verified", "member.export_asked"} <= actions
    assert made.key.encode() not in b"".join(json.dumps(each).encode() for each in found.values())


async def test_of_enterprise_accounts_the_export_has_no_content(suite: World) -> None:
    known = await member(suite.identity)
    firm, account = await suite.works_at(known)
    await suite.chat(firm, account, UUID(known.member_id), "The firm's plans", '"firm"')
    found = documents(await suite.download((await suite.export(known)).result["export_id"], known))
    (session,) = found["sessions/chat_sessions.jsonl"]
    assert (session["account_id"], "title" in session) == (str(account), False)
    assert "sessions/histories.jsonl" not in found


async def test_a_member_alone_downloads_it_for_seven_days_and_is_told_by_mail(suite: World) -> None:
    known, other = await member(suite.identity), await member(suite.identity)
    export_id = (await suite.export(known)).result["export_id"]

    async def told() -> bool:
        return any("is ready" in str(each["Subject"]) for each in suite.identity.mailbox.to(known.email))

    await until(told)
    assert await refused(suite.download(export_id, other)) == (grpc.StatusCode.NOT_FOUND, "EXPORT_NOT_FOUND")
    assert await suite.download(export_id, known)
    suite.clock.ahead += timedelta(days=7, seconds=1)
    again = await sign_in(suite.identity, known.email)
    assert await refused(suite.download(export_id, again)) == (grpc.StatusCode.NOT_FOUND, "EXPORT_NOT_FOUND")


async def test_an_archive_is_encrypted_where_it_lies_and_its_parts_and_itself_go_in_time(
    suite: World,
) -> None:
    known = await member(suite.identity, display_name="Ann Lee")
    await suite.export(known)
    (file,) = suite.files(known)
    assert not zipfile.is_zipfile(file)
    runtime = suite.identity.running.runtime
    suite.clock.ahead += timedelta(days=8)
    await exports.purge(runtime.db, Blobs(suite.blobs.as_uri(), "identity"))
    assert suite.files(known) == []


async def test_what_a_failed_export_left_is_swept_and_what_goes_on_or_is_there_stays(suite: World) -> None:
    known, failed, running = [await member(suite.identity) for _ in range(3)]
    export_id = (await suite.export(known)).result["export_id"]
    blobs, runtime = Blobs(suite.blobs.as_uri(), "identity"), suite.identity.running.runtime
    ids = []
    async with suite.without("billing"):
        for each in (failed, running):
            asked = exports_pb2.ExportMyDataRequest()
            begun = await suite.exports.ExportMyData(asked, metadata=each.metadata)
            ids.append(begun.id)
            await until(partial(_waits_for_billing, suite, begun.id))
            assert len(suite.files(each)) > 1
        await as_superuser(
            suite.identity,
            "UPDATE wrtn_operations SET state = 'FAILED', end_time = now(), lease_holder = NULL,"
            f" lease_expire_time = NULL WHERE id = '{ids[0]}'",
        )
        await exports.sweep(runtime.db, blobs)
        assert suite.files(failed) == []
        assert len(suite.files(running)) > 1
    assert await suite.ended(ids[1]) == "SUCCEEDED"
    assert await suite.download(export_id, known)
    assert [each.name for each in suite.files(running)] == [f"{ids[1]}.zip"]


async def test_asking_again_while_one_goes_on_answers_the_same_export(suite: World) -> None:
    known = await member(suite.identity)
    # It goes on until billing is back.
    async with suite.without("billing"):
        begun = await asyncio.gather(
            *[
                suite.exports.ExportMyData(exports_pb2.ExportMyDataRequest(), metadata=known.metadata)
                for _ in range(4)
            ]
        )
        assert len({each.id for each in begun}) == 1
    assert await suite.ended(begun[0].id) == "SUCCEEDED"


async def test_a_service_that_is_down_is_waited_for_and_named(suite: World) -> None:
    known = await member(suite.identity)
    async with suite.without("billing"):
        begun = await suite.exports.ExportMyData(exports_pb2.ExportMyDataRequest(), metadata=known.metadata)

        async def waiting() -> bool:
            found = await suite.operation(begun.id, known)
            return "Waits for billing" in found.progress.message

        await until(waiting)
        assert (await suite.operation(begun.id, known)).progress.done == 3
    assert await suite.ended(begun.id) == "SUCCEEDED"


async def _waits_for_billing(suite: World, operation_id: str) -> bool:
    """Says whether nobody works on it until billing is back."""
    query = f"SELECT message, lease_holder FROM wrtn_operations WHERE id = '{operation_id}'"
    ((message, holder),) = await as_superuser(suite.identity, query)
    return holder is None and "Waits for billing" in message


async def _sign_in_otherwise(suite: World, member_id: UUID) -> None:
    """Gives the member a passkey, and an identity at another provider."""
    runtime = suite.identity.running.runtime
    provider = Provider("test", "Test", "https://id.example", "client", "secret")
    asserted = Asserted(provider.issuer, "s-1", "ann@elsewhere.example", email_verified=True, name="Ann")
    async with runtime.db.transaction(Scope.of(member_id=member_id)) as tx:
        await identities.link(tx, runtime.keyring, None, member_id, provider, asserted)
        key, passkey_id = await runtime.keyring.key(tx, member_id), tx.clock.new_id()
        tx.session.add(
            Passkey(
                member_id=member_id,
                id=passkey_id,
                credential_id=b"c",
                public_key=b"p",
                display_name=key.encrypt(b"Phone", member_id, passkey_id, "display_name"),
                sign_count=0,
                create_time=tx.now,
            )
        )

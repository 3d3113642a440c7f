"""The command line: once as the process that an operator starts, else in a thread of this one."""

from __future__ import annotations

import asyncio
import io
import os
import re
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from unittest.mock import patch

import grpc
import pytest

from services.identity import bearers
from services.identity.admin import main
from tests.identity import make
from tests.identity.service import Identity
from tests.identity.smtp_server import code_in
from tests.identity.test_identity_credentials import issue, resolve
from wrtn.access.v1.access_pb2 import StaffRight
from wrtn.identity.v1 import members_pb2
from wrtn.identity.v1.principals_pb2 import Principal


def environment(identity: Identity) -> dict[str, str]:
    """Answers the settings of the command."""
    settings = identity.running.runtime.settings
    return {"WRTN_DATABASE_URL": settings.database_url, "WRTN_KEY_FILE": str(settings.key_file)}


async def admin(identity: Identity, *arguments: str, given: str = "") -> tuple[int, str]:
    """Runs a command; answers its exit code and everything that it printed."""
    with (
        patch.dict(os.environ, environment(identity)),
        patch("sys.stdin", io.StringIO(given)),
        redirect_stdout(io.StringIO()) as printed,
        redirect_stderr(printed),
    ):
        code = await asyncio.to_thread(_ended, arguments)
    return code, printed.getvalue()


def _ended(arguments: Sequence[str]) -> int:
    """Runs a command and answers its exit code, as the interpreter does."""
    try:
        main(arguments)
    except SystemExit as ended:
        if isinstance(ended.code, int):
            return ended.code
        sys.stderr.write(f"{ended.code}\n")
        return 1
    return 0


async def as_process(identity: Identity, *arguments: str) -> tuple[int, str]:
    """Runs a command as `admin` does, by an interpreter of its own."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.identity.admin", *arguments),
        env=os.environ | environment(identity),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    printed, _ = await process.communicate()
    return process.returncode or 0, printed.decode()


def value(printed: str, name: str) -> str:
    """Answers what was printed under a name."""
    found = re.search(rf"^{name}: (.+)$", printed, re.MULTILINE)
    assert found, printed
    return found[1]


async def test_an_existing_member_becomes_administrator_once(identity: Identity) -> None:
    signed_in = await make.member(identity)
    code, printed = await as_process(identity, "appoint-administrator", "--email", signed_in.email.upper())
    again = await admin(identity, "appoint-administrator", "--email", signed_in.email)
    assert (code, value(printed, "administrator")) == (0, "appointed")
    assert (again[0], value(again[1], "administrator")) == (0, "is one already")
    assert value(printed, "member") == signed_in.member_id
    (event,) = await make.published(identity, "staff.appointed", signed_in.member_id)
    assert event.member_id == signed_in.member_id
    query = "SELECT right_before, right_after, version, decider_member_id FROM wrtn_staff_appointments"
    assert [tuple(row) for row in await make.rows(identity, query, signed_in.member_id)] == [(0, 2, 3, None)]


async def test_an_administrator_is_known_as_one_and_sees_every_member(identity: Identity) -> None:
    signed_in, neighbour = await make.member(identity), await make.member(identity, display_name="Joon")
    await admin(identity, "appoint-administrator", "--email", signed_in.email)
    principal = await resolve(identity, member=(signed_in.member_id, "", ""))
    assert principal.staff_right == StaffRight.STAFF_RIGHT_ADMINISTRATOR
    again = await make.sign_in(identity, signed_in.email)
    seen = await identity.members.GetMember(
        members_pb2.GetMemberRequest(member_id=neighbour.member_id), metadata=again.metadata
    )
    assert seen.display_name == "Joon"
    assert not seen.emails, "addresses are for the member alone"


async def test_nobody_is_appointed_for_an_address_that_is_not_verified(identity: Identity) -> None:
    email = make.fresh_email()
    await make.register(identity, email)
    code, printed = await admin(identity, "appoint-administrator", "--email", email)
    assert code == 1
    assert "nobody has verified this address" in printed
    member_id = str(bearers.owner_of(bearers.VERIFICATION, code_in(await identity.mailbox.wait_for(email))))
    assert await make.published(identity, "staff.appointed", member_id) == []


async def test_the_first_administrator_may_be_made_outright(identity: Identity) -> None:
    email = make.fresh_email()
    code, printed = await admin(identity, "appoint-administrator", "--email", email, "--create")
    signed_in = await make.sign_in(identity, email, value(printed, "password"))
    assert code == 0
    assert signed_in.member_id == value(printed, "member")
    assert len(await make.published(identity, "account.opened", signed_in.member_id)) == 1
    assert len(await make.published(identity, "staff.appointed", signed_in.member_id)) == 1


async def test_a_password_may_come_by_standard_input_and_is_not_printed(identity: Identity) -> None:
    email = make.fresh_email()
    code, printed = await admin(
        identity,
        "appoint-administrator",
        "--email",
        email,
        "--create",
        "--password-stdin",
        given=make.PASSWORD,
    )
    assert code == 0
    assert make.PASSWORD not in printed
    await make.sign_in(identity, email)


async def test_a_weak_password_makes_nobody(alone: Identity) -> None:
    code, printed = await admin(
        alone,
        *("appoint-administrator", "--email", "root@example.com", "--create", "--password-stdin"),
        given="password",
    )
    assert code == 1
    assert "too easily guessed" in printed
    assert await make.as_superuser(alone, "SELECT 1 FROM wrtn_members") == []


async def test_a_platform_credential_works_until_it_is_revoked(identity: Identity) -> None:
    code, printed = await admin(
        identity, "create-credential", "--platform", "--name", "chat", "--scope", "sessions.record"
    )
    credential_id, secret = value(printed, "credential"), value(printed, "secret")
    assert code == 0
    assert (await issue(identity, credential_id, secret)).access_token
    expected = Principal(active=True, scopes=["sessions.record"])
    assert await resolve(identity, credential_id=credential_id) == expected
    _, printed = await admin(identity, "rotate-credential", "--id", credential_id, "--overlap-hours", "0")
    assert (await issue(identity, credential_id, value(printed, "secret"))).access_token
    with pytest.raises(grpc.aio.AioRpcError, match="not valid"):
        await issue(identity, credential_id, secret)
    assert (await admin(identity, "revoke-credential", "--id", credential_id))[0] == 0
    assert await resolve(identity, credential_id=credential_id) == Principal()
    (event,) = await make.published(identity, "credential.revoked", credential_id)
    assert event.credential_id == credential_id


async def test_the_command_line_reaches_no_credential_of_an_enterprise(identity: Identity) -> None:
    code, printed = await admin(identity, "revoke-credential", "--id", "00000000-0000-7000-8000-000000000001")
    assert code == 1
    assert "does not exist" in printed


async def test_the_staff_history_refuses_every_change(identity: Identity) -> None:
    signed_in = await make.member(identity)
    await admin(identity, "appoint-administrator", "--email", signed_in.email)
    table = "wrtn_staff_appointments"
    for statement in (f"UPDATE {table} SET right_after = 0", f"DELETE FROM {table}", f"TRUNCATE {table}"):
        with pytest.raises(Exception, match="insert-only"):
            await make.as_superuser(identity, statement)


async def test_rotating_adds_a_key_that_signs_later(alone: Identity) -> None:
    before = await make.jwks(alone)
    code, printed = await admin(alone, "rotate-signing-key")
    found = await make.as_superuser(alone, "SELECT kid FROM wrtn_signing_keys ORDER BY generation")
    assert code == 0
    assert [kid for (kid,) in found] == [before[0], value(printed, "key")]

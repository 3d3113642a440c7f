"""Passwords: how they are kept."""

from __future__ import annotations

from argon2 import PasswordHasher

from tests.identity import make
from tests.identity.make import Identity, SignedIn


async def kept(identity: Identity, member: SignedIn) -> str:
    """Answers the hash that is kept."""
    ((password_hash,),) = await make.rows(
        identity, "SELECT password_hash FROM wrtn_members", member.member_id
    )
    return str(password_hash)


async def test_a_password_is_kept_by_argon2id_with_the_parameters_of_owasp(identity: Identity) -> None:
    member = await make.member(identity)
    assert (await kept(identity, member)).startswith("$argon2id$v=19$m=19456,t=2,p=1$")


async def test_a_hash_of_old_parameters_is_renewed_when_its_owner_signs_in(identity: Identity) -> None:
    member = await make.member(identity)
    old = PasswordHasher(time_cost=1, memory_cost=8 * 1024, parallelism=2).hash(make.PASSWORD)
    await make.as_superuser(identity, f"UPDATE wrtn_members SET password_hash = '{old}'")
    await make.sign_in(identity, member.email)
    renewed = await kept(identity, member)
    assert renewed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    await make.sign_in(identity, member.email)
    assert await kept(identity, member) == renewed, "and once is enough"

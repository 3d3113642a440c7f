"""The pure rules: addresses, codes, tokens, passwords."""

from __future__ import annotations

import asyncio
import os
import string
import threading
import time
from uuid import UUID

import pytest
from argon2 import PasswordHasher
from hypothesis import given
from hypothesis import strategies as st

from chassis.clock import Clock
from services.identity import bearers
from services.identity.accounts import codes
from services.identity.errors import AddressInvalid, PasswordChecksBusy, PasswordTooWeak
from services.identity.members import addresses
from services.identity.sign_in.passwords import NICENESS, Passwords, check_strength, threads_beside

CLOCK = Clock()


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        ("mina@example.com", "mina@example.com"),
        ("  Mina@EXAMPLE.com ", "Mina@example.com"),
        ("root@localhost", "root@localhost"),
        ("mina@corp.local", "mina@corp.local"),
        ("박미나@한국.kr", "박미나@한국.kr"),
    ],
)
def test_an_address_is_written_as_it_is_mailed_to(typed: str, written: str) -> None:
    assert addresses.parsed(typed) == written


@pytest.mark.parametrize("typed", ["", "mina", "@example.com", "mina@", "a b@example.com", "a@b@example.com"])
def test_another_text_is_no_address(typed: str) -> None:
    with pytest.raises(AddressInvalid):
        addresses.parsed(typed)
    assert addresses.sought(typed) == typed.strip()


def test_addresses_are_the_same_without_their_case() -> None:
    assert addresses.sought(" MINA@Example.COM") == addresses.same("mina@example.com")


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("Mina Park", "mina-park"),
        ("  Mina -- Park!  ", "mina-park"),
        ("박미나", "박미나"),
        ("ＭＩＮＡ", "mina"),  # noqa: RUF001 - wide letters
        ("\u202e***", "account"),
        ("x" * 100, "x" * 40),
    ],
)
def test_a_code_is_derived_from_the_name(name: str, code: str) -> None:
    assert codes.derived(name) == code


@given(st.text(max_size=100))
def test_every_name_gives_a_code_without_spaces(name: str) -> None:
    code = codes.derived(name)
    assert code
    assert not set(code) & set(string.whitespace + "@\x00")


def test_a_varied_code_keeps_its_beginning() -> None:
    one, two = codes.varied("mina", CLOCK), codes.varied("mina", CLOCK)
    assert one != two
    assert one.startswith("mina-")
    assert len(one) > len("mina-")


@given(st.uuids())
def test_a_token_names_its_member(member_id: UUID) -> None:
    token = bearers.bearer(bearers.REFRESH, member_id, CLOCK)
    assert bearers.owner_of(bearers.REFRESH, token) == member_id
    assert bearers.owner_of(bearers.VERIFICATION, token) is None


@given(st.text(max_size=100))
def test_another_text_names_nobody_and_breaks_nothing(text: str) -> None:
    found = bearers.owner_of(bearers.REFRESH, bearers.REFRESH + text)
    assert found is None or len(text) >= 22


def test_two_tokens_share_nothing_but_their_member() -> None:
    member_id = CLOCK.new_id()
    one, two = (bearers.bearer(bearers.REFRESH, member_id, CLOCK) for _ in range(2))
    assert one[:30] == two[:30]
    assert len(one) == 8 + 22 + 43
    assert bearers.digest(one) != bearers.digest(two)


@pytest.mark.parametrize("password", ["password", "12345678", "mina1234", "minapark1", "abcabcabc"])
def test_a_common_or_derived_password_is_weak(password: str) -> None:
    with pytest.raises(PasswordTooWeak):
        check_strength(password, ("Mina Park", "mina.park@example.com"))


@pytest.mark.parametrize("password", ["seven purple giraffes", "xK9#mmq2vT", "박미나는 오늘 바다에 갔다"])
def test_a_password_that_is_hard_to_guess_is_good(password: str) -> None:
    check_strength(password, ("Mina Park", "mina.park@example.com"))


async def test_a_hash_is_argon2id_with_the_recommended_cost() -> None:
    passwords = Passwords(threads=1)
    hashed = await passwords.hash("seven purple giraffes")
    assert hashed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert await passwords.verify(hashed, "seven purple giraffes")
    assert not await passwords.verify(hashed, "seven purple giraffe")
    assert not await passwords.verify(None, "nobody")
    await passwords.stop()


class Watched(PasswordHasher):
    """Notes with which priority it hashes, and how many do at once."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.niceness: set[int] = set()
        self.at_once: list[int] = []
        self._working = 0

    def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
        self._working += 1
        self.at_once.append(self._working)
        self.niceness.add(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        time.sleep(0.002)  # lets another thread in, if there is one
        self._working -= 1
        return super().hash(password, salt=salt)


async def test_hashing_leaves_a_core_free_and_stands_back_behind_the_event_loop() -> None:
    ours = os.getpriority(os.PRIO_PROCESS, 0)
    passwords = Passwords(hasher := Watched(), threads=threads_beside(2))
    hasher.niceness.clear()
    await asyncio.gather(*(passwords.hash("x") for _ in range(8)))
    await passwords.stop()
    assert hasher.niceness == {min(19, ours + NICENESS)}
    assert max(hasher.at_once) == 1
    assert os.getpriority(os.PRIO_PROCESS, 0) == ours, "the loop's own thread is as it was"
    assert [threads_beside(cores) for cores in (1, 2, 3, 64)] == [1, 1, 2, 2]


async def test_who_comes_when_too_many_wait_is_refused_at_once() -> None:
    passwords = Passwords(threads=1, waiting=2)
    outcomes = await asyncio.gather(*(passwords.hash("x") for _ in range(5)), return_exceptions=True)
    assert [isinstance(each, PasswordChecksBusy) for each in outcomes] == [False, False, False, True, True]
    assert await passwords.hash("x"), "there is room again"
    await passwords.stop()

"""Answers are kept for seconds; one that was taken back is never given again, nor if it was under way."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from uuid import UUID

import pytest
from google.protobuf.message import Message

from chassis.access.cache import AnswerCache
from chassis.access.employment import AccessCache
from chassis.access.invalidation import changed_ids, named_ids
from chassis.access.principals import Principals
from chassis.auth.tokens import AccessToken
from chassis.clock import Clock
from chassis.errors import Unavailable
from chassis.events.envelope import subject_of
from chassis.testing.callers import Callers
from chassis.testing.waiting import until
from wrtn.access.v1.access_pb2 import Title
from wrtn.enterprise.v1.access_pb2 import Access, ResolveAccessRequest, TeamPlace
from wrtn.enterprise.v1.events_pb2 import CompanionAppointed, GrantChanged, VisibilityChanged

ONE, TWO = Clock().new_id(), Clock().new_id()


class Store:
    """What is asked: its answer is taken when the question begins, and given when `gate` opens."""

    def __init__(self) -> None:
        self.value = "old"
        self.asked = 0
        self.failing = False
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, _key: UUID) -> str:
        """Answers the value of the moment it was asked."""
        self.asked += 1
        seen, gate = self.value, self.gate
        await gate.wait()
        if self.failing:
            raise Unavailable("down")
        return seen


def cache_of(store: Store, *, ttl: float = 60, most: int = 100) -> AnswerCache[UUID, str]:
    """A cache over the store."""
    return AnswerCache(store, lambda key: (key,), ttl=ttl, most=most)


async def test_an_answer_is_kept() -> None:
    store = Store()
    cache = cache_of(store)
    assert [await cache.resolve(ONE) for _ in range(3)] == ["old"] * 3
    assert store.asked == 1


async def test_an_answer_is_kept_no_longer_than_it_is_good_for() -> None:
    store = Store()
    lives: list[float | None] = [0.02, None, 90]
    cache = AnswerCache[UUID, str](store, lambda key: (key,), ttl=60, good_for=lambda _: lives.pop(0))
    await cache.resolve(ONE)
    await until(lambda: cache.get(ONE) is None)
    for _ in range(2):
        await cache.resolve(ONE, fresh=True)
        found = cache.get(ONE)
        assert found is not None
        assert 50 < found[0] - time.monotonic() <= 60


async def test_an_answer_ends_by_itself() -> None:
    store = Store()
    cache = cache_of(store, ttl=0.02)
    await cache.resolve(ONE)
    await until(lambda: cache.get(ONE) is None)
    await cache.resolve(ONE)
    assert store.asked == 2


async def test_the_time_of_an_answer_counts_from_the_question() -> None:
    store = Store()
    store.gate.clear()
    cache = cache_of(store, ttl=0.02)
    asking = asyncio.ensure_future(cache.resolve(ONE))
    started = time.monotonic()
    await until(lambda: time.monotonic() - started > 0.03)
    store.gate.set()
    assert await asking == "old"
    assert cache.get(ONE) is None


async def test_one_question_serves_all_who_wait_for_it() -> None:
    store = Store()
    cache = cache_of(store)
    await asyncio.gather(*(cache.resolve(ONE) for _ in range(20)))
    assert store.asked == 1


async def test_fresh_asks_in_any_case() -> None:
    store = Store()
    cache = cache_of(store)
    await cache.resolve(ONE)
    store.value = "new"
    assert await cache.resolve(ONE, fresh=True) == "new"
    assert await cache.resolve(ONE) == "new"


async def test_fresh_shares_no_earlier_question_and_is_not_overwritten_by_it() -> None:
    store = Store()
    store.gate.clear()
    cache = cache_of(store)
    earlier = asyncio.ensure_future(cache.resolve(ONE))
    await until(lambda: store.asked == 1)
    store.value = "new"
    fresh = asyncio.ensure_future(cache.resolve(ONE, fresh=True))
    await until(lambda: store.asked == 2)
    store.gate.set()
    assert await fresh == "new"
    await earlier
    assert await cache.resolve(ONE) == "new"


async def test_a_late_answer_does_not_replace_a_fresh_one() -> None:
    store = Store()
    store.gate.clear()
    cache = cache_of(store)
    late = asyncio.ensure_future(cache.resolve(ONE))
    await until(lambda: store.asked == 1)
    held, store.gate = store.gate, asyncio.Event()
    store.gate.set()
    store.value = "new"
    assert await cache.resolve(ONE, fresh=True) == "new"
    held.set()
    assert await late == "old"
    assert await cache.resolve(ONE) == "new"


async def test_a_dropped_answer_is_asked_for_again_and_others_stay() -> None:
    store = Store()
    cache = cache_of(store)
    await asyncio.gather(cache.resolve(ONE), cache.resolve(TWO))
    store.value = "new"
    cache.drop([ONE])
    assert (await cache.resolve(ONE), await cache.resolve(TWO)) == ("new", "old")


async def test_an_answer_under_way_when_it_is_taken_back_is_not_given() -> None:
    store = Store()
    store.gate.clear()
    cache = cache_of(store)
    asking = asyncio.ensure_future(cache.resolve(ONE))
    await until(lambda: store.asked == 1)
    store.value = "new"
    cache.drop([ONE])
    store.gate.set()
    assert await asking == "new"
    assert await cache.resolve(ONE) == "new"
    assert store.asked == 2


async def test_who_asks_after_an_invalidation_does_not_join_the_question_before_it() -> None:
    store = Store()
    store.gate.clear()
    cache = cache_of(store)
    before = asyncio.ensure_future(cache.resolve(ONE))
    await until(lambda: store.asked == 1)
    cache.drop([ONE])
    store.value = "new"
    after = asyncio.ensure_future(cache.resolve(ONE))
    await until(lambda: store.asked == 2)
    store.gate.set()
    assert await after == "new"
    assert await before == "new"


async def test_an_answer_that_is_taken_back_for_ever_is_unavailable() -> None:
    class Restless(Store):
        """Takes back what it answers."""

        async def __call__(self, key: UUID) -> str:
            """Answers, and says that it changed."""
            cache.drop([key])
            return await super().__call__(key)

    cache = cache_of(Restless())
    with pytest.raises(Unavailable):
        await cache.resolve(ONE)


async def test_an_error_is_not_kept() -> None:
    store = Store()
    store.failing = True
    cache = cache_of(store)
    with pytest.raises(Unavailable):
        await cache.resolve(ONE)
    store.failing = False
    assert await cache.resolve(ONE) == "old"


async def test_who_gives_up_waiting_leaves_the_question_to_the_others() -> None:
    store = Store()
    store.gate.clear()
    cache = cache_of(store)
    first, second = (asyncio.ensure_future(cache.resolve(ONE)) for _ in range(2))
    await until(lambda: store.asked == 1)
    first.cancel()
    store.gate.set()
    assert await second == "old"


async def test_the_oldest_answers_leave_and_nothing_is_left_of_them() -> None:
    cache = cache_of(Store(), most=10)
    clock = Clock()
    for _ in range(100):
        await cache.resolve(clock.new_id())
    assert len(cache) == 10
    cache.clear()
    assert len(cache) == 0
    assert vars(cache)["_about"] == {}


@pytest.mark.parametrize("which", [lambda t: t.member_id, lambda t: t.login_id, lambda t: t.account_id])
async def test_an_event_about_any_of_its_ids_drops_a_principal(
    which: Callable[[AccessToken], UUID], callers: Callers
) -> None:
    principals = Principals(callers.principal)
    member = callers.member()
    assert await principals.resolve(member.token) is not None
    callers.end(member)
    assert await principals.resolve(member.token) is not None
    headers = {"ce-subject": str(which(member.token))}
    principals.drop(named_ids(headers, b""))
    assert await principals.resolve(member.token) is None


def test_the_ids_of_an_event_are_found_in_headers_and_message() -> None:
    payload = b"\n$" + str(ONE).encode() + b"\x12\x03abc"
    assert named_ids({"ce-subject": str(TWO), "ce-type": "wrtn.identity.v1.x"}, payload) == {ONE, TWO}


async def test_a_hit_is_quick(callers: Callers) -> None:
    principals = Principals(callers.principal)
    member = callers.member()
    await principals.resolve(member.token)
    rounds = 2000
    started = time.perf_counter()
    for _ in range(rounds):
        principals.cached(member.token)
    assert (time.perf_counter() - started) / rounds < 50e-6


def learning(store: Store) -> AnswerCache[UUID, str]:
    """A cache whose answers are about more than was asked: about TWO, if the answer says so."""
    return AnswerCache(
        store, lambda key: (key,), learned=lambda answer: [TWO] if answer == "old" else [], ttl=60
    )


async def test_an_answer_is_taken_back_by_what_it_told_and_nothing_else_is() -> None:
    store = Store()
    cache = learning(store)
    await cache.resolve(ONE)
    cache.drop([Clock().new_id()])
    assert cache.get(ONE) is not None
    cache.drop([TWO])
    assert cache.get(ONE) is None
    store.value = "new"
    assert await cache.resolve(ONE) == "new"
    cache.drop([TWO])
    assert cache.get(ONE) is not None


async def test_an_answer_under_way_is_asked_again_when_it_turns_out_to_be_about_what_was_dropped() -> None:
    store = Store()
    cache = learning(store)
    store.gate.clear()
    asking = asyncio.create_task(cache.resolve(ONE))
    await until(lambda: store.asked == 1)
    gate, store.gate, store.value = store.gate, asyncio.Event(), "new"
    store.gate.set()
    cache.drop([TWO])
    gate.set()
    assert await asking == "new"
    assert store.asked == 2


async def test_an_answer_under_way_is_kept_when_others_were_dropped() -> None:
    store = Store()
    cache = learning(store)
    store.gate.clear()
    asking = asyncio.create_task(cache.resolve(ONE))
    await until(lambda: store.asked == 1)
    cache.drop([Clock().new_id()])
    store.gate.set()
    assert await asking == "old"
    assert cache.get(ONE) is not None


def changed(event: Message) -> set[UUID]:
    """Answers whose rights are asked anew when the event is heard, with the enterprise in its headers."""
    return changed_ids(subject_of(type(event)), {"ce-wrtntenant": str(ONE)}, event.SerializeToString())


def test_an_event_about_one_person_takes_back_what_is_known_of_them_alone() -> None:
    appointed = CompanionAppointed(enterprise_id=str(ONE), team_id=str(ONE), employee_id=str(TWO))
    assert changed(appointed) == {TWO}


def test_a_grant_of_a_team_concerns_the_team_and_one_of_the_enterprise_everybody() -> None:
    assert changed(GrantChanged(enterprise_id=str(ONE), team_id=str(TWO))) == {TWO}
    assert changed(GrantChanged(enterprise_id=str(ONE))) == {ONE}


def test_an_event_that_declares_nothing_or_is_unknown_concerns_all_that_it_names() -> None:
    assert changed(VisibilityChanged(enterprise_id=str(ONE))) == {ONE}
    assert changed_ids("wrtn.enterprise.v1.thing.done", {"ce-wrtntenant": str(ONE)}, str(TWO).encode()) == {
        ONE,
        TWO,
    }


def test_an_audit_entry_changes_no_rights() -> None:
    assert changed_ids("wrtn.enterprise.v1.audit.recorded", {"ce-wrtntenant": str(ONE)}, b"") == set()


async def test_access_is_taken_back_by_employee_and_by_every_team_above() -> None:
    clock = Clock()
    enterprise, account, employee, member, team, above = (clock.new_id() for _ in range(6))
    asked = []

    async def source(request: ResolveAccessRequest) -> Access:
        asked.append(request)
        place = TeamPlace(team_id=str(team), ancestor_ids=[str(above)])
        return Access(employee_id=str(employee), member_id=str(member), title=Title.TITLE_MEMBER, team=place)

    cache = AccessCache(source, ttl=60)
    for count, dropped in enumerate((employee, above, team, account, enterprise), start=2):
        await cache.resolve(enterprise, account, team, resource="model:a/b")
        cache.drop([clock.new_id()])
        cache.drop([dropped])
        await cache.resolve(enterprise, account, team, resource="model:a/b")
        assert len(asked) == count
    await cache.resolve(enterprise, account, team, resource="model:a/c")
    assert len(asked) == 7

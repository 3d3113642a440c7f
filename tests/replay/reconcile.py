"""The reconciliation: the client's journal against sessions, billing and analytics, over REST."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tests.replay.expected import NAMES, Prices, Sum, Sums, expected, session_sum
from tests.replay.people import Member
from tests.replay.play import Session, signed_in
from tests.replay.rest import Rest
from tests.replay.world import World

CATCH_UP_SECONDS = 120
"""How long the totals of billing and analytics may stand still below ours before that is a difference."""
PARALLEL = 8


@dataclass(frozen=True, slots=True)
class Line:
    """One comparison."""

    source: str
    what: str
    ours: object
    theirs: object

    @property
    def equal(self) -> bool:
        """Whether both say the same."""
        return self.ours == self.theirs


@dataclass
class Reconciliation:
    """Compares everything that was played with everything that the suite answers."""

    rest: Rest
    world: World
    sessions: list[Session]

    async def lines(self) -> AsyncIterator[Line]:
        """Answers every comparison, first of sessions, then of billing and analytics."""
        prices = await self._prices()
        room = asyncio.Semaphore(PARALLEL)

        async def one(session: Session) -> list[Line]:
            async with room:
                return [line async for line in self._session(session, prices)]

        for lines in await asyncio.gather(*(one(session) for session in self.sessions)):
            for line in lines:
                yield line
        ours = expected(self.sessions, prices)
        await self._caught_up(ours["total"][""])
        async for line in self._billing(ours):
            yield line
        async for line in self._analytics(ours):
            yield line

    async def _get(self, member: Member, path: str, **params: str) -> dict[str, Any]:
        async def call() -> dict[str, object]:
            answer = await self.rest.call("GET", path, token=member.access_token, params=params)
            assert isinstance(answer, dict)
            return answer

        return await signed_in(self.rest, member, call)

    async def _pages(self, member: Member, path: str, items: str) -> list[dict[str, Any]]:
        """Answers all items of a list."""
        found: list[dict[str, Any]] = []
        page: str | None = ""
        while page is not None:
            answer = await self._get(member, path, pageSize="200", pageToken=page)
            found += answer.get(items, [])
            page = answer.get("nextPageToken") or None
        return found

    async def _prices(self) -> Prices:
        models = {session.model for session in self.sessions}
        answers = {
            model: await self._get(self.world.owner, "/v1/prices", model=model, pageSize="1")
            for model in models
        }
        return {model: answer["prices"][0] for model, answer in answers.items()}

    async def _session(self, session: Session, prices: Prices) -> AsyncIterator[Line]:
        path = f"/v1/chatSessions/{session.id}"
        frames = session.conversation.frames
        usage = await self._get(session.employee.member, f"{path}/tokenUsage")
        own = session_sum(session, prices)
        tokens = (own.input + own.output, own.input, own.output)
        theirs = (usage["total"], usage["input"]["total"], usage["output"]["total"])
        yield Line("sessions", f"{session.id} tokens", tokens, theirs)
        histories = await self._pages(session.employee.member, f"{path}/histories", "histories")
        order = [(int(history["sequence"]), history["id"]) for history in histories]
        sent = [(place, frame.id) for place, frame in enumerate(frames, 1)]
        yield Line("sessions", f"{session.id} order", sent, order)
        bodies = {history["id"]: (history["type"], history["body"]) for history in histories}
        different = [frame.id for frame in frames if bodies.get(frame.id) != (frame.type, frame.body)]
        yield Line("sessions", f"{session.id} bodies that differ", [], different)

    async def _caught_up(self, ours: Sum) -> None:
        """Waits until billing and analytics have counted as many usages as we did, or stand still."""
        seen, since = -1, time.monotonic()
        while time.monotonic() - since < CATCH_UP_SECONDS:
            billed = _billed((await self._costs())["total"])
            counted = (await self._usage())["total"]
            now = billed.usages + int(counted.get("usageCount", 0)) + int(counted.get("ratedCount", 0))
            if now >= 3 * ours.usages:
                return
            if now != seen:
                seen, since = now, time.monotonic()
            await asyncio.sleep(0.25)

    async def _costs(self, **params: str) -> dict[str, Any]:
        return await self._get(
            self.world.owner, f"/v1/enterprises/{self.world.enterprise_id}/costs", **params
        )

    async def _usage(self, **params: str) -> dict[str, Any]:
        path = f"/v1/enterprises/{self.world.enterprise_id}/usage"
        return await self._get(self.world.owner, path, timeZone="Asia/Seoul", **params)

    async def _billing(self, ours: dict[str, Sums]) -> AsyncIterator[Line]:
        total = _billed((await self._costs())["total"])
        for line in _compared("billing", "enterprise", {"": total}, ours["total"]):
            yield line
        for group in ("account", "team", "model"):
            answer = await self._costs(groupBy=f"COST_GROUP_{group.upper()}")
            theirs = {row.get("key", ""): _billed(row) for row in answer.get("rows", [])}
            for line in _compared("billing", group, theirs, ours[group]):
                yield line
        for employee in self.world.employees:
            account = employee.member.account_id
            answer = await self._get(employee.member, f"/v1/accounts/{account}/costs")
            mine = {account: _billed(answer["total"])}
            for line in _compared(
                "billing, own", "account", mine, {account: ours["account"].get(account, Sum())}
            ):
                yield line
        path = f"/v1/enterprises/{self.world.enterprise_id}/ledgerEntries"
        entries = await self._pages(self.world.owner, path, "ledgerEntries")
        amounts = [Decimal(entry["amount"]) for entry in entries]
        receivable = [Decimal(entry["amount"]) for entry in entries if entry["ledgerAccount"] == "receivable"]
        yield Line("ledger", "debits = credits", Decimal(0), sum(amounts, Decimal(0)))
        yield Line("ledger", "owed by the enterprise", ours["total"][""].cost, sum(receivable, Decimal(0)))

    async def _analytics(self, ours: dict[str, Sums]) -> AsyncIterator[Line]:
        total = _counted([(await self._usage())["total"]])
        for line in _compared("analytics", "enterprise", total, ours["total"]):
            yield line
        for group in ("account", "employee", "team", "model"):
            for granularity in ("GRANULARITY_UNSPECIFIED", "GRANULARITY_HOUR", "GRANULARITY_DAY"):
                answer = await self._usage(groupBy=f"USAGE_GROUP_{group.upper()}", granularity=granularity)
                theirs = _counted(answer.get("rows", []))
                source = "analytics, " + granularity.removeprefix("GRANULARITY_").lower()
                for line in _compared(source, group, theirs, ours[group]):
                    yield line


def _compared(source: str, group: str, theirs: Sums, ours: Sums) -> Iterable[Line]:
    for key in sorted(ours.keys() | theirs.keys()):
        for name, one, other in zip(
            NAMES, ours.get(key, Sum()).values(), theirs.get(key, Sum()).values(), strict=True
        ):
            yield Line(source, f"{group} {key} {name}".replace("  ", " "), one, other)


def _billed(row: dict[str, Any]) -> Sum:
    return Sum(
        int(row.get("usageCount", 0)),
        int(row.get("inputTokens", 0)),
        int(row.get("outputTokens", 0)),
        Decimal(row.get("cost") or 0),
    )


def _counted(rows: list[dict[str, Any]]) -> Sums:
    """Sums the buckets of time of each key."""
    sums: dict[str, Sum] = {}
    for row in rows:
        tokens = row["tokens"]
        key = row.get("key", "")
        sums[key] = sums.get(key, Sum()) + Sum(
            int(row.get("usageCount", 0)),
            int(tokens["input"].get("total", 0)),
            int(tokens["output"].get("total", 0)),
            Decimal(row.get("cost") or 0),
        )
    return sums

"""AuthorizeSpend on one hot enterprise, six levels deep, and its floor: one UPDATE of one hot row a call."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import grpc
import psycopg

from chassis.clock import Clock
from chassis.database import Scope, Transaction
from chassis.database.roles import Urls
from chassis.service import Parts, Runtime, start
from chassis.testing.callers import Callers
from services.billing import models
from services.billing.main import wire
from services.billing.settings import BillingSettings
from services.billing.spending.budgets import untouched
from tests.bench.floors import CONNECTIONS, Connection, Methods, say, serve
from tests.bench.load import CALLERS, CHANNELS, rate
from tests.bench.ours import keyed
from wrtn.billing.v1 import spending_pb2 as pb
from wrtn.billing.v1.budgets_pb2 import BUDGET_PERIOD_MONTH
from wrtn.billing.v1.spending_pb2_grpc import SpendServiceStub

DEEP = 4
"""Teams above each other; with the enterprise and the employee there are six levels."""
ENORMOUS = Decimal(10**12)
_TABLE = "CREATE TABLE IF NOT EXISTS hot (id integer PRIMARY KEY, reserved numeric NOT NULL)"
_ROW = "INSERT INTO hot VALUES (1, 0) ON CONFLICT DO NOTHING"
_UPDATE = "UPDATE hot SET reserved = reserved + %s WHERE id = 1"


class Updating:
    """One UPDATE and commit a call, all of the same row."""

    def __init__(self) -> None:
        self._idle: asyncio.Queue[Connection] = asyncio.Queue()

    async def prepare(self, url: str) -> None:
        """Opens the connections."""
        for _ in range(CONNECTIONS):
            connection = await psycopg.AsyncConnection.connect(url, autocommit=True)
            await connection.execute(_TABLE)
            await connection.execute(_ROW)
            await self._idle.put(connection)

    def handler(self) -> grpc.GenericRpcHandler:
        """Answers the method, under the name of ours."""
        method = grpc.unary_unary_rpc_method_handler(
            self.update, pb.AuthorizeSpendRequest.FromString, pb.Reservation.SerializeToString
        )
        methods: Methods = {"AuthorizeSpend": method}
        return grpc.method_handlers_generic_handler("wrtn.billing.v1.SpendService", methods)

    async def update(self, request: pb.AuthorizeSpendRequest, context: Any) -> pb.Reservation:
        """Commits one update."""
        connection = await self._idle.get()
        try:
            await connection.execute(_UPDATE, (request.estimate.amount,))
        finally:
            self._idle.put_nowait(connection)
        return pb.Reservation(id=request.reservation_id)


async def updating(url: str) -> None:
    """Serves the floor."""
    servicer = Updating()
    await servicer.prepare(url)
    await serve(servicer.handler())


async def billing(urls: Urls, nats_url: str, folder: Path) -> None:
    """Serves billing; says the port, a credential's token, and who may spend."""
    callers = Callers(Clock(), folder / "peers")
    settings = keyed(BillingSettings, "billing", urls, nats_url, folder)

    async def wired(runtime: Runtime[BillingSettings]) -> Parts:
        parts = await wire(runtime)
        parts.principals_source, parts.access_source = callers.principal, callers.access
        parts.jwks_source = callers.jwks
        return parts

    async with start("billing", settings, wired) as running:
        tenant_id, account_id = uuid.uuid4(), uuid.uuid4()
        async with running.runtime.db.transaction(Scope.of(tenant_id)) as tx:
            team_id = await _office(tx, tenant_id, account_id)
        credential = callers.credential("sessions.record")
        whose = {"tenant": str(tenant_id), "account": str(account_id), "team": str(team_id)}
        say({"port": running.port, "token": credential.bearer, **whose})
        await asyncio.Event().wait()


async def _office(tx: Transaction, tenant_id: uuid.UUID, account_id: uuid.UUID) -> uuid.UUID:
    """Makes the enterprise known, with a budget at each level; answers the lowest team."""
    employee_id, member_id, line = uuid.uuid4(), uuid.uuid4(), [uuid.uuid4() for _ in range(DEEP)]
    known = {"tenant_id": tenant_id, "version": 1}
    tx.session.add_all(
        [
            models.KnownEnterprise(time_zone="UTC", **known),
            models.KnownAccount(account_id=account_id, holder_member_id=member_id, **known),
            models.KnownEmployee(employee_id=employee_id, member_id=member_id, title=1, **known),
            models.KnownCompanion(employee_id=employee_id, team_id=line[0], role=1, **known),
            *(
                models.KnownTeam(team_id=team_id, parent_team_id=parent, archived=False, **known)
                for team_id, parent in zip(line, [*line[1:], None], strict=True)
            ),
        ]
    )
    for team_id, who in [(None, None), (None, employee_id), *((team_id, None) for team_id in line)]:
        budget = models.Budget(
            tenant_id=tenant_id,
            id=uuid.uuid4(),
            team_id=team_id,
            employee_id=who,
            resource="",
            period=BUDGET_PERIOD_MONTH,
            amount=ENORMOUS,
            currency="USD",
            thresholds=[],
            soft=False,
            requests_per_minute=0,
            tokens_per_minute=0,
            version=1,
            create_time=tx.now,
            update_time=tx.now,
            archive_time=None,
        )
        tx.session.add(budget)
        await tx.session.flush()
        tx.session.add(untouched(budget, ZoneInfo("UTC"), tx.now))
    return line[0]


async def authorizing(port: int, whose: dict[str, str], token: str, seconds: float) -> float:
    """Answers how many spendings a second were authorized, one at a time each caller."""
    metadata = (("authorization", f"Bearer {token}"),)
    channels = [grpc.aio.insecure_channel(f"127.0.0.1:{port}", [("channel", n)]) for n in range(CHANNELS)]

    async def caller(number: int, going: Callable[[], bool]) -> int:
        stub, done = SpendServiceStub(channels[number % CHANNELS]), 0
        while going():
            request = pb.AuthorizeSpendRequest(
                reservation_id=str(uuid.uuid4()),
                tenant_id=whose["tenant"],
                account_id=whose["account"],
                team_id=whose["team"],
                model="openai/gpt-4.1",
                estimate=pb.SpendEstimate(amount="0.0125"),
            )
            await stub.AuthorizeSpend(request, metadata=metadata)
            done += 1
        return done

    try:
        return await rate([lambda going, n=n: caller(n, going) for n in range(CALLERS)], seconds)  # type: ignore[misc]
    finally:
        for channel in channels:
            await channel.close()

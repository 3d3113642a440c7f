"""The work of a correction: what was rated is rated anew, tenant by tenant, and the difference entered."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from chassis.crypto import Keyring
from chassis.database import Database, Scope, Transaction, arrays
from chassis.operations import Kind, Work
from services.billing.errors import CorrectionNotFound
from services.billing.invoices.correcting_invoices import CorrectedTenant
from services.billing.models import Correction, CorrectionDifference
from services.billing.pricing.charging import Agreement, Exchange, Used, charge
from services.billing.pricing.price_list import PriceList
from services.billing.pricing.price_source import CURRENCY
from services.billing.pricing.rating import ZERO, Schedule, Terms, cost
from services.billing.spending import corrected
from services.billing.store import Prices
from services.billing.store.corrections import NO_TEAM, Corrections, Entries, Entry, Wrong, tenants_charged
from services.billing.store.prices import read_rates
from services.billing.store.rules import Agreements
from wrtn.billing.v1.corrections_pb2 import Correction as Wire

PREPARE = "corrections.prepare"
APPLY = "corrections.apply"
_PAGE = 1000
_TENANTS = 100
_LONGEST = 600.0
"""Seconds that one tenant may take."""


class Right(NamedTuple):
    """By what is rated anew: the model and the schedule, and the entry of the price list if it is one."""

    model: str
    schedule: Schedule
    price_id: UUID | None


@dataclass
class Difference:
    """What changes for a team and a model."""

    usage_count: int = 0
    cost: Decimal = ZERO
    charge: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Correcting:
    """Prepares and applies corrections. `worker` is the worker role's database, which lists tenants."""

    worker: Database
    keyring: Keyring
    prices: PriceList

    def kinds(self) -> Sequence[Kind]:
        """Answers the two kinds of work."""
        return [Kind(PREPARE, self._prepare, cancellable=False), Kind(APPLY, self._apply, cancellable=False)]

    async def _prepare(self, work: Work) -> Mapping[str, str]:
        """Writes down what would change, and nothing else."""
        correction = await self._correction(work)
        async for tenant_id in self._tenants(work):
            async with work.db.transaction(Scope.of(tenant_id), time_limit=_LONGEST) as tx:
                tenant = _Tenant(tx, tenant_id, correction, self.prices)
                await tenant.rerate()
                tx.session.add_all(tenant.differences())
                await work.advance(tx, str(tenant_id), done=work.done + 1)
        await self._turn(work, correction, Wire.STATE_PROPOSED, Wire.STATE_PREPARING)
        return {"correction_id": str(correction.id)}

    async def _apply(self, work: Work) -> Mapping[str, str]:
        """Enters the differences: one transaction a tenant, in which entries, sums and ledger change."""
        correction = await self._correction(work)
        async for tenant_id in self._tenants(work):
            async with work.db.transaction(Scope.of(tenant_id), time_limit=_LONGEST) as tx:
                tenant = _Tenant(tx, tenant_id, correction, self.prices)
                await tenant.rerate(apply=True)
                await tenant.book(self.keyring)
                await corrected.spend(tx, tenant_id, correction.id)
                await work.advance(tx, str(tenant_id), done=work.done + 1)
        await self._turn(work, correction, Wire.STATE_APPLIED, Wire.STATE_APPROVED)
        return {"correction_id": str(correction.id)}

    async def _correction(self, work: Work) -> Correction:
        async with work.db.snapshot(Scope()) as snapshot:
            self.prices.add(await Prices(snapshot).newer(self.prices.last_sequence))
            row = await Corrections(snapshot).get(UUID(bytes=work.request))
        if row is None:
            raise CorrectionNotFound("The correction does not exist.")
        return row

    async def _tenants(self, work: Work) -> AsyncIterator[UUID]:
        """Answers the tenants after the last one done."""
        after = UUID(work.step) if work.step else UUID(int=0)
        while True:
            async with self.worker.snapshot(Scope()) as snapshot:
                found = await tenants_charged(snapshot, after, _TENANTS)
            for after in found:
                yield after
            if len(found) < _TENANTS:
                return

    async def _turn(self, work: Work, correction: Correction, to: int, source: int) -> None:
        async with work.db.transaction(Scope()) as tx:
            await Corrections(tx).turn(correction.id, to, source)


class _Tenant:
    """One tenant's part of a correction, in one transaction."""

    def __init__(self, tx: Transaction, tenant_id: UUID, correction: Correction, prices: PriceList) -> None:
        self._tx = tx
        self._tenant_id = tenant_id
        self._correction = correction
        self._prices = prices
        self._exchange = Exchange()
        self._agreement = Agreement()
        self._found: dict[tuple[UUID, str], Difference] = defaultdict(Difference)

    async def rerate(self, *, apply: bool = False) -> None:
        """Rates anew what is to be corrected, and enters the differences if told so."""
        agreements = await Agreements(self._tx).of([self._tenant_id], self._exchange)
        self._agreement = agreements.get(self._tenant_id, Agreement()).or_in(CURRENCY)
        entries, after = Entries(self._tx, self._tenant_id, self._correction), UUID(int=0)
        while page := await entries.wrong(after, _PAGE):
            after = page[-1].history_id
            changed = [entry for usage in page if (entry := self._entry(usage)) is not None]
            if apply and changed:
                await entries.apply(changed)

    def differences(self) -> list[CorrectionDifference]:
        """Answers what was found, by team."""
        by_team: dict[UUID, list[Difference]] = defaultdict(list)
        for (team_id, _), found in self._found.items():
            by_team[team_id].append(found)
        return [
            CorrectionDifference(
                tenant_id=self._tenant_id,
                correction_id=self._correction.id,
                team_id=team_id,
                usage_count=sum(each.usage_count for each in found),
                cost=sum((each.cost for each in found), ZERO),
                charge=sum((each.charge for each in found), ZERO),
                currency=self._agreement.currency,
            )
            for team_id, found in by_team.items()
        ]

    async def book(self, keyring: Keyring) -> None:
        """Books what was entered, if anything was."""
        if not self._found:
            return
        whole = sum((each.charge for each in self._found.values()), ZERO)
        currency = self._agreement.currency
        tenant = CorrectedTenant(self._tx, keyring, self._tenant_id, self._correction, currency)
        await tenant.book(whole)

    def _entry(self, usage: Wrong) -> Entry | None:
        """Rates a usage anew; None if nothing changes, or nothing can be found for it yet."""
        right = self._right(usage)
        if right is None:
            return None
        whole = cost(right.schedule, usage.tokens, usage.use_time)
        used = Used(right.model, usage.tokens, usage.use_time, whole)
        paid = charge(self._agreement, self._exchange, used)
        newly = self._correction.price_id is None
        if paid is None or (not newly and (whole, paid.amount) == (usage.cost, usage.charge)):
            return None
        found = self._found[usage.team_id or NO_TEAM, usage.model]
        found.usage_count += 1
        found.cost += whole - usage.cost
        found.charge += paid.amount - usage.charge
        return Entry(
            usage.history_id,
            right.price_id,
            whole - usage.cost,
            paid.amount - usage.charge,
            arrays.of_ids(map(str, paid.rule_ids)),
            paid.exchange_rate_id,
            int(newly),
            usage.use_time,
        )

    def _right(self, usage: Wrong) -> Right | None:
        """Answers the rates that the correction names, else the price of the moment of use."""
        if self._correction.rates is not None:
            terms = Terms(read_rates(self._correction.rates))
            return Right(self._prices.key(usage.model), Schedule(terms), None)
        price = self._prices.at(usage.model, usage.use_time)
        return Right(price.model, price.schedule, price.id) if price is not None else None

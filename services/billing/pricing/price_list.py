"""The price list in memory: what rating looks up for each usage."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.billing.pricing.price_source import Dated, Source
from services.billing.pricing.rating import Price, Schedule, Timeline

NOTICE = timedelta(minutes=1)
"""How long before it counts a changed price is entered: every replica then knows it when its moment comes."""


class PriceList:
    """The entries read so far. It only grows, as the table does."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._timelines: dict[str, Timeline] = {}
        self.last_sequence = 0
        """The newest entry that is in here."""

    def add(self, prices: Iterable[tuple[int, Price]]) -> None:
        """Adds entries, each with its sequence."""
        for sequence, price in prices:
            self._timelines.setdefault(price.model, Timeline()).add(price)
            self.last_sequence = max(self.last_sequence, sequence)

    def key(self, model: str) -> str:
        """Answers the model's key in the list: the name itself, or the model that is also called so."""
        if model in self._timelines:
            return model
        return self._source.canonical(model) or model

    def counts_before(self, model: str, moment: datetime) -> bool:
        """Whether the model had a price at any time before this moment."""
        timeline = self._timelines.get(self.key(model))
        return timeline is not None and any(price.effective_time < moment for price in timeline)

    def at(self, model: str, moment: datetime) -> Price | None:
        """Answers the model's price at this moment, or None if it has none."""
        timeline = self._timelines.get(self.key(model))
        return timeline.at(moment) if timeline is not None else None


@dataclass(frozen=True, slots=True)
class Addition:
    """An entry to be added."""

    model: str
    effective_time: datetime
    revision: int
    schedule: Schedule


def additions(
    model: str, existing: Sequence[Price], wanted: Sequence[Dated], now: datetime
) -> list[Addition]:
    """Decides which entries make the list of this model what the source says, from `now` and NOTICE on.

    A model that is new comes with its whole past. Of one that is known the past stays as it was: a
    different price begins after the notice, or at its own start if that is later.
    """
    if not existing:
        return [Addition(model, start, 1, schedule) for start, schedule in wanted]
    begin = now + NOTICE
    later = {start for start, _ in wanted} | {price.effective_time for price in existing}
    known = {(price.effective_time, price.revision): price.schedule for price in existing}
    found: list[Addition] = []
    for moment in (begin, *sorted(each for each in later if each > begin)):
        schedule = [schedule for start, schedule in wanted if start <= moment][-1]
        if schedule != known[max(key for key in known if key[0] <= moment)]:
            revision = 1 + max((number for start, number in known if start == moment), default=0)
            known[moment, revision] = schedule
            found.append(Addition(model, moment, revision, schedule))
    return found

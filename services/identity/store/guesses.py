"""The statements that count guesses."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from chassis.database import Snapshot

_RECENT = "ARRAY(SELECT each FROM unnest(wrtn_guesses.tries) AS each WHERE each > %(since)s)"
_ADD = f"""
WITH wanted AS (
    SELECT * FROM unnest(%(subjects)s::bytea[], %(most)s::int[]) WITH ORDINALITY AS _ (subject, most, place))
INSERT INTO wrtn_guesses (subject_hash, tries, last_time)
SELECT subject, ARRAY[%(now)s::timestamptz], %(now)s FROM wanted ORDER BY place
ON CONFLICT (subject_hash) DO UPDATE
SET tries = array_append({_RECENT}, %(now)s), last_time = %(now)s
WHERE cardinality({_RECENT}) < (SELECT most FROM wanted WHERE subject = wrtn_guesses.subject_hash)
RETURNING subject_hash
"""  # noqa: S608 - constants
_OLDEST = """
SELECT min(each) FROM wrtn_guesses, unnest(tries) AS each WHERE subject_hash = %s AND each > %s
"""
TAKE_OUT = """
UPDATE wrtn_guesses SET tries = array_remove(tries, %s::timestamptz) WHERE subject_hash = ANY (%s)
"""


class Guesses:
    """The tries of the last minutes; they belong to no scope."""

    def __init__(self, tx: Snapshot) -> None:
        self._tx = tx

    async def add(self, bounds: Sequence[tuple[bytes, int]], now: datetime, since: datetime) -> list[bool]:
        """Adds a try against each subject, all different; False for those that had `most` since then.

        Of several at once each waits for the other.
        """
        values = {
            "subjects": [subject for subject, _ in bounds],
            "most": [most for _, most in bounds],
            "now": now,
            "since": since,
        }
        rows = await (await (await self._tx.driver()).execute(_ADD, values)).fetchall()
        added = {row[0] for row in rows}
        return [subject in added for subject, _ in bounds]

    async def oldest(self, subject: bytes, since: datetime) -> datetime | None:
        """Answers when the oldest try since then was."""
        row = await (await (await self._tx.driver()).execute(_OLDEST, (subject, since))).fetchone()
        return row[0] if row is not None else None

    async def take_out(self, subjects: Sequence[bytes], time: datetime) -> None:
        """Takes the try of this time out again."""
        await (await self._tx.driver()).execute(TAKE_OUT, (time, list(subjects)))

"""What a group commit costs: round trips to the database, whatever its size."""

from __future__ import annotations

import pytest

from chassis.testing.lines import listening
from services.sessions import recording
from services.sessions.frames import Recorded
from tests.sessions.make import Sessions, tokens
from tests.sessions.test_sessions_recovery import desk_of


@pytest.mark.parametrize("count", [1, 40])
async def test_a_group_commit_takes_two_round_trips_however_many_frames_it_has(
    sessions: Sessions, count: int
) -> None:
    clock = sessions.clock
    desks = [await desk_of(sessions, await sessions.session()) for _ in range(2)]
    async with listening(sessions.running.runtime.settings.database_url) as line:
        database = recording.connect(line.url, lanes=1, clock=clock)
        try:
            await recording.record(database, [desks[0].pending(sessions.frame())], clock)
            before = line.round_trips
            frames = [each.pending(sessions.frame(token_usage=tokens(1, 1))) for each in desks * count]
            outcomes = await recording.record(database, frames, clock)
            assert all(isinstance(each, Recorded) for each in outcomes)
            assert line.round_trips - before == 2
        finally:
            await database.close()

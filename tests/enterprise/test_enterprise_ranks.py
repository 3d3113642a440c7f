"""Ranks of siblings: pure."""

from __future__ import annotations

from services.enterprise.teams import ranks


def test_a_rank_between_two_is_between_them_or_there_is_none() -> None:
    for at, wanted in ((0, True), (1, False), (2, True), (3, True)):
        found = ranks.between([5, 6, 9], at)
        assert (found is not None) == wanted
        if found is not None:
            assert sorted([5, 6, 9, found]).index(found) == at

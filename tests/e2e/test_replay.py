"""The main job on real input: what was recorded is billed and counted, to the token and the last decimal."""

from __future__ import annotations

import pytest

from deploy.local.plan import ROOT
from tests.e2e.suite import Suite, replay

SHARED = ROOT.parent / "shared" / "data"

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


def test_a_replay_ends_without_a_difference(suite: Suite) -> None:
    done = replay(suite)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 differences" in done.stdout


@pytest.mark.skipif(not SHARED.exists(), reason="the recorded conversations are not on this machine")
def test_a_replay_of_real_conversations_ends_without_a_difference(suite: Suite) -> None:
    conversations = SHARED / "airline-conversations.jsonl"
    trace = SHARED / "azure-llm-trace-conv.csv"
    done = replay(suite, "--conversations", str(conversations), "--trace", str(trace))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "120 sessions" in done.stdout
    assert "0 differences" in done.stdout

"""The client's own journal: what a run is, and which frames were acknowledged. It survives a kill."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from io import TextIOWrapper
from pathlib import Path
from typing import Any


@dataclass
class Journal:
    """One run's journal: `run.json` says what it plays, `acks.jsonl` has a line for every durable frame.

    All ids are derived from the run's, so whoever opens the journal again goes on where it stopped.
    """

    folder: Path
    run: uuid.UUID
    facts: dict[str, Any]
    acks: dict[str, int] = field(default_factory=dict)
    _file: TextIOWrapper | None = None

    @classmethod
    def open(cls, folder: Path, what: dict[str, Any]) -> Journal:
        """Opens the unfinished run of the same input, or begins a new one."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "run.json"
        if path.exists():
            facts = json.loads(path.read_text())
            if facts["what"] == what and not facts.get("finished"):
                return cls(folder, uuid.UUID(facts["run"]), facts, _acks(folder / "acks.jsonl"))
        run = uuid.uuid4()
        (folder / "acks.jsonl").unlink(missing_ok=True)
        journal = cls(folder, run, {"run": str(run), "what": what})
        journal.note()
        return journal

    def note(self, **facts: Any) -> None:
        """Keeps facts of the run, such as the secret that is shown once."""
        self.facts |= facts
        fresh = self.folder / "run.json.new"
        fresh.touch(mode=0o600)
        fresh.write_text(json.dumps(self.facts))
        fresh.rename(self.folder / "run.json")

    def ack(self, frame_id: str, sequence: int) -> None:
        """Keeps the ack of a frame."""
        if self._file is None:
            self._file = (self.folder / "acks.jsonl").open("a", buffering=1)
        self.acks[frame_id] = sequence
        self._file.write(json.dumps([frame_id, sequence]) + "\n")


def _acks(path: Path) -> dict[str, int]:
    """Reads the acks; a last line that a kill cut short is passed over, its frame is sent again."""
    acks: dict[str, int] = {}
    for line in path.read_text().splitlines() if path.exists() else ():
        try:
            frame_id, sequence = json.loads(line)
        except ValueError:
            continue
        acks[frame_id] = sequence
    return acks

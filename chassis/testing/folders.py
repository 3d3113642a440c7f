"""Folders for the servers of a test run, whose data may go with the machine."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

_MEMORY = Path("/dev/shm")  # noqa: S108 - Linux's folder in memory; mkdtemp makes ours, private to us
_ENOUGH = 2 << 30
"""Free bytes below which the folder in memory is left alone: containers often have 64 MiB of it."""


def scratch(prefix: str) -> Path:
    """Makes an empty folder, in memory where there is room for it: the caller removes it.

    A fresh database is a copy of 1,400 files, which on a disk takes twenty times as long.
    """
    return Path(tempfile.mkdtemp(prefix=prefix, dir=_MEMORY if _roomy() else None))


def _roomy() -> bool:
    try:
        return shutil.disk_usage(_MEMORY).free >= _ENOUGH
    except OSError:
        return False

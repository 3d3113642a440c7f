"""What became of an import's rows, as the CSV that is downloaded. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from services.enterprise.models import ImportRow

HEADER = ("row", "outcome", "reason", "column", "message")


def line(row: ImportRow) -> tuple[object, ...]:
    """Answers the cells of one row's outcome."""
    return row.number, row.outcome, row.reason, row.column_name, row.message


def written(lines: Iterable[Sequence[object]]) -> bytes:
    """Writes the lines as CSV (RFC 4180, UTF-8). None of it is text out of the imported file."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows(lines)
    return text.getvalue().encode()

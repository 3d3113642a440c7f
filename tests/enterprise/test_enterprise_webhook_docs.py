"""The page on webhooks says what is so."""

from __future__ import annotations

import re
from pathlib import Path

from services.enterprise.webhooks import webhook_types

PAGE = Path(__file__).parents[2] / "docs" / "webhooks.md"


def test_the_page_lists_the_types_that_webhooks_carry() -> None:
    listed = re.findall(r"^\| `([a-z_.]+)` \|", PAGE.read_text(), re.MULTILINE)
    assert listed == list(webhook_types.catalogue()), (
        "run: python -m tests.enterprise.test_enterprise_webhook_docs"
    )


def table() -> str:
    """Answers the list as it stands on the page."""
    rows = [
        f"| `{name}` | `{kind.DESCRIPTOR.full_name}` |" for name, kind in webhook_types.catalogue().items()
    ]
    return "\n".join(["| type | data |", "| --- | --- |", *rows]) + "\n"


if __name__ == "__main__":
    kept = PAGE.read_text().partition("| type |")[0]
    PAGE.write_text(kept + table())

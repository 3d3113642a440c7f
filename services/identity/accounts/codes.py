"""Account codes: the "someone" in an address, derived from the holder's name."""

from __future__ import annotations

import re
import unicodedata

from chassis.clock import Clock

_LONGEST = 40
_NAMELESS = "account"


def derived(display_name: str) -> str:
    """Answers the code that the name suggests: its letters and digits in lower case, joined by hyphens."""
    plain = unicodedata.normalize("NFKC", display_name).casefold()
    code = re.sub(r"[\W_]+", "-", plain).strip("-")[:_LONGEST].strip("-")
    return code or _NAMELESS


def varied(code: str, clock: Clock) -> str:
    """Answers the code with a chance ending, for when it is taken in its tenant."""
    ending = re.sub(r"[^a-z0-9]", "", clock.secret(16).lower())[:6]
    return f"{code}-{ending}"

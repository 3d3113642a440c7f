"""Codes of authenticator apps (RFC 6238) and recovery codes: pure rules."""

from __future__ import annotations

import base64
import hmac
from datetime import datetime

import pyotp

from chassis.clock import Clock

SECONDS = 30
_WINDOW = 1
"""Steps by which the clock of a phone may differ, each way."""
RECOVERY_CODES = 10
_CODE_BYTES = 10
"""Bytes of chance behind a recovery code: 80 bits, 16 letters."""


def new_secret(clock: Clock) -> str:
    """Makes a secret of 160 bits, in base32."""
    return base64.b32encode(base64.urlsafe_b64decode(clock.secret(20) + "=")).decode()


def uri(secret: str, address: str, issuer: str) -> str:
    """Answers what the QR code says to the app."""
    return pyotp.TOTP(secret).provisioning_uri(name=address, issuer_name=issuer)


def step_of(secret: str, code: str, now: datetime) -> int | None:
    """Answers the half minute, since 1970, of which this is the code; None for one of another time."""
    current = int(now.timestamp()) // SECONDS
    made = pyotp.HOTP(secret)
    steps = range(current - _WINDOW, current + _WINDOW + 1)
    # All are compared, whichever it is.
    found = [step for step in steps if hmac.compare_digest(made.at(step).encode(), code.encode())]
    return found[-1] if found else None


def new_recovery_codes(clock: Clock) -> list[str]:
    """Makes recovery codes, "abcd-efgh-2345-67ab" each."""
    return [_grouped(_letters(clock)) for _ in range(RECOVERY_CODES)]


def plain(code: str) -> str:
    """Answers a recovery code as it is compared: without case, spaces and hyphens."""
    return "".join(each for each in code.lower() if each.isalnum())


def _letters(clock: Clock) -> str:
    chance = base64.urlsafe_b64decode(clock.secret(_CODE_BYTES) + "==")
    return base64.b32encode(chance).decode().lower()


def _grouped(letters: str) -> str:
    return "-".join(letters[start : start + 4] for start in range(0, len(letters), 4))

"""The addresses that invitations go to, and the tokens in their mails."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email

from chassis.clock import Clock
from services.enterprise.errors import AddressInvalid

# The package's own way to admit .local, .internal and their like: the suite may run inside an intranet.
SPECIAL_USE_DOMAIN_NAMES.clear()

PURPOSE = "invitation"
"""The purpose of the keyed hash by which an invited address is found."""
_ID_BYTES = 16


def parsed(text: str) -> str:
    """Answers the address as it is written to; raises AddressInvalid."""
    try:
        found = validate_email(text.strip(), check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError as error:
        raise AddressInvalid("The text is not an email address.", field="email") from error
    return found.normalized


def same(address: str) -> str:
    """Answers the form in which addresses are compared, as identity does: without case."""
    return address.casefold()


@dataclass(frozen=True, slots=True)
class Token:
    """What a mail carries: which invitation, and a secret. Stored as its hash alone."""

    tenant_id: UUID
    invitation_id: UUID
    text: str

    @property
    def digest(self) -> bytes:
        """The hash by which it is known again."""
        return sha256(self.text.encode()).digest()


def new_token(clock: Clock, tenant_id: UUID, invitation_id: UUID) -> Token:
    """Makes a token."""
    place = base64.urlsafe_b64encode(tenant_id.bytes + invitation_id.bytes).rstrip(b"=").decode()
    return Token(tenant_id, invitation_id, f"{place}.{clock.secret()}")


def read_token(text: str) -> Token | None:
    """Answers the token with the ids that it names; None for a text that is none."""
    place = text.partition(".")[0]
    try:
        raw = base64.b64decode(place + "=" * (-len(place) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    if len(raw) != 2 * _ID_BYTES:
        return None
    return Token(UUID(bytes=raw[:_ID_BYTES]), UUID(bytes=raw[_ID_BYTES:]), text)

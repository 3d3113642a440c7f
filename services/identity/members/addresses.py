"""Email addresses: which texts are one, and which are the same."""

from __future__ import annotations

from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email

from services.identity.errors import AddressInvalid

# The package's own way to admit .local, .internal and their like: the suite may run inside an intranet.
SPECIAL_USE_DOMAIN_NAMES.clear()

PURPOSE = "email"
"""The purpose of the keyed hash by which an address is found."""


def parsed(text: str, field: str = "email") -> str:
    """Answers the address as it is written to; raises AddressInvalid, naming the field."""
    try:
        found = validate_email(text.strip(), check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError as error:
        raise AddressInvalid("The text is not an email address.", field=field) from error
    return found.normalized


def same(address: str) -> str:
    """Answers the form in which addresses are compared: without case, which no real mail server heeds."""
    return address.casefold()


def sought(text: str) -> str:
    """Answers the form of what somebody typed to sign in with; a text that is no address finds none."""
    try:
        return same(parsed(text))
    except AddressInvalid:
        return same(text.strip())

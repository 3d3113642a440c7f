"""Phone numbers."""

from __future__ import annotations

import phonenumbers

from services.identity.errors import PhoneInvalid


def parsed(text: str) -> str:
    """Answers the number in the format E.164, as in "+821012345678"; raises PhoneInvalid.

    A number begins with "+" and the code of its country; spaces and hyphens are as people write them.
    """
    try:
        number = phonenumbers.parse(text, None)
    except phonenumbers.NumberParseException as error:
        raise _invalid() from error
    if not text.strip().startswith("+") or number.extension or not phonenumbers.is_valid_number(number):
        raise _invalid()
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _invalid() -> PhoneInvalid:
    return PhoneInvalid('The text is not a phone number such as "+82 10 1234 5678".', field="member.phone")

"""Checks that a body is JSON, without keeping what it says."""

from __future__ import annotations

import json
from typing import NoReturn

from services.sessions.errors import BodyInvalid


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


# Numbers are not read: a long one would cost time, and may be greater than Python reads at all.
_decoder = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=_refuse)


def check_json(body: str) -> None:
    """Raises BodyInvalid for a text that is no JSON (RFC 8259), or nested about a thousand levels deep."""
    try:
        _decoder.decode(body)
    except (ValueError, RecursionError) as error:
        raise BodyInvalid from error

"""Keeps secrets and content out of the logs: a guard that every log line passes through."""

from __future__ import annotations

import re
import traceback
from collections.abc import Mapping, MutableMapping
from uuid import UUID

REDACTED = "[redacted]"
LONGEST = 500
"""Characters of a logged value; longer ones are cut."""

_SECRET_KEY = re.compile(
    r"password|secret|token|authorization|cookie|credential_secret|content|prompt|body|title|display_name|email|mail"
)
_SECRET_TEXT = re.compile(
    r"eyJ[\w-]+\.[\w-]*\.?[\w-]*"  # a JSON web token, or the beginning of one
    r"|(?i:bearer|basic)\s+\S+"
    r"|[\w.+-]+@[\w-]+\.[\w.-]+"  # an address
    r"|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"  # the password in a URL
)


_OURS = frozenset(("level", "time", "service", "trace_id", "span_id", "method", "request_id", "exception"))
"""Fields that only the chassis writes: names and ids of its own making, or scrubbed already."""


def guard(_logger: object, _method: str, event: MutableMapping[str, object]) -> MutableMapping[str, object]:
    """Redacts a log line: fields named like secrets or content, texts that look like one, and whole messages.

    Numbers and ids pass. It is a structlog processor.
    """
    for key, value in event.items():
        if key not in _OURS:
            event[key] = _guarded(key, value)
    return event


def _guarded(key: str, value: object) -> object:
    if value is None or isinstance(value, (int, float)):
        return value
    if _SECRET_KEY.search(key):
        return REDACTED
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_guarded(key, item) for item in value]
    if isinstance(value, Mapping):
        return {str(name): _guarded(str(name), item) for name, item in value.items()}
    return f"<{type(value).__name__}>"


def scrub(text: str) -> str:
    """Replaces what looks like a token, an address or a password, and cuts long texts."""
    return _SECRET_TEXT.sub(REDACTED, text[:LONGEST])


def described(error: BaseException) -> str:
    """Answers the whole traceback of an error, with those before it, as it may be logged.

    Of each error's text only the first line is kept, scrubbed: drivers put the values of a row, and
    statement parameters, on the following ones.
    """
    trace = traceback.TracebackException.from_exception(error, capture_locals=False)
    lines: list[str] = []
    for link in reversed(_chain(trace)):
        lines += [f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in link.stack]
        text = str(link).splitlines()[0] if str(link) else ""
        lines.append(f"{_type_name(link)}: {scrub(text)}")
    return "\n".join(lines)


def _chain(trace: traceback.TracebackException) -> list[traceback.TracebackException]:
    """Answers the error and those it came from, the last first."""
    links = [trace]
    while (before := links[-1].__cause__ or links[-1].__context__) is not None:
        links.append(before)
    return links


def _type_name(link: traceback.TracebackException) -> str:
    return link.exc_type.__qualname__ if link.exc_type else "Error"

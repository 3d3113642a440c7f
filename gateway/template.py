"""Path templates, by the grammar in google/api/http.proto.

Template = "/" Segments [ ":" LITERAL ] ;  Segments = Segment { "/" Segment } ;
Segment  = "*" | "**" | LITERAL | "{" FieldPath [ "=" Segments ] "}" ;
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

STAR = "*"
DEEP = "**"

_PART = re.compile(r"\{([A-Za-z_][\w.]*)(?:=([^{}]+))?\}|([^/{}]+)")
_SLASHES = re.compile("(%2[fF])")


class TemplateError(ValueError):
    """The annotation holds a template outside the grammar."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A field path and the segments that fill it: `start` to `stop`, to the end if `stop` is None."""

    path: str
    start: int
    stop: int | None
    pattern: str

    @property
    def single(self) -> bool:
        """Whether it covers exactly one segment, so that it is decoded wholly."""
        return self.pattern == STAR

    def value(self, segments: list[str]) -> str:
        """Answers the decoded value. Raises UnicodeDecodeError if it is not UTF-8."""
        raw = "/".join(segments[self.start : self.stop])
        if "%" not in raw:
            return raw
        if self.single:
            return decode(raw)
        # A slash within a segment stays encoded, so that the value can still be told apart into segments.
        return "".join(part if part in ("%2F", "%2f") else decode(part) for part in _SLASHES.split(raw))


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed template: literals and wildcards in order, what they fill, and the custom verb."""

    text: str
    segments: tuple[str, ...]
    variables: tuple[Variable, ...]
    verb: str = ""


def decode(raw: str) -> str:
    """Percent-decodes; the result must be UTF-8, else UnicodeDecodeError."""
    return unquote_to_bytes(raw).decode()


def parse(text: str) -> Template:
    """Parses a template. Raises TemplateError that quotes it."""
    if not text.startswith("/"):
        raise TemplateError(f"the path template {text!r} does not begin with a slash")
    body, verb = _split_verb(text[1:])
    segments: list[str] = []
    variables: list[Variable] = []
    at = 0
    while True:
        part = _PART.match(body, at)
        if part is None:
            raise TemplateError(f"the path template {text!r} has an empty or broken segment")
        path, pattern, plain = part.groups()
        start = len(segments)
        segments.extend((pattern or STAR).split("/") if path else [plain])
        if path:
            stop = None if segments[-1] == DEEP else len(segments)
            variables.append(Variable(path, start, stop, pattern or STAR))
        at = part.end()
        if at == len(body):
            break
        if body[at] != "/":
            raise TemplateError(f"the path template {text!r} has a segment that mixes text and variable")
        at += 1
    if DEEP in segments[:-1] or "" in segments:
        raise TemplateError(f"the path template {text!r} has an empty segment, or ** that is not the last")
    return Template(text, tuple(segments), tuple(variables), verb)


def _split_verb(body: str) -> tuple[str, str]:
    """Cuts the custom verb off: the colon after the last slash and the last variable."""
    colon = body.find(":", max(body.rfind("/"), body.rfind("}"), 0))
    return (body, "") if colon < 0 else (body[:colon], body[colon + 1 :])

"""The forms of one version, compiled: what is recorded in a procedure session is checked against them."""

from __future__ import annotations

import json
from typing import Any

from jsonschema_rs import Draft202012Validator as Validator
from jsonschema_rs import RegexOptions, ValidationError

from services.sessions.errors import BodyInvalid
from services.sessions.forms import sanity
from services.sessions.forms.errors import ArgumentsInvalid, CallTooLarge, SchemaInvalid, ValueInvalid

MOST_WORK = 4 * 1024 * 1024
"""The parts of the forms times the length of a body: about a tenth of a second, in which others wait."""
# An engine without back-tracking: its time is linear in the text, for patterns that compile to so many bytes.
_PATTERNS = RegexOptions(size_limit=50_000)


class Form:
    """The input form and the output schema of a version."""

    def __init__(self, input_form: str, output_schema: str) -> None:
        """Compiles both; raises SchemaInvalid for one that may not be used."""
        self._arguments, parts = _compile("input_form", input_form, only="object")
        self._value, more = _compile("output_schema", output_schema or "{}")
        self.most = MOST_WORK // (parts + more)
        """How long a body may be, in characters."""

    def check(self, body: str) -> None:
        """Checks a body that is JSON: its arguments, and its value if it says that all went well.

        Raises CallTooLarge, BodyInvalid, ArgumentsInvalid and ValueInvalid.
        """
        if len(body) > self.most:
            raise CallTooLarge(self.most)
        try:
            call = json.loads(body)
        except ValueError as error:
            # A number of more digits than Python reads.
            raise BodyInvalid from error
        if not isinstance(call, dict) or "arguments" not in call:
            raise ArgumentsInvalid("/arguments", "required")
        fault = _fault(self._arguments, call["arguments"])
        if fault is not None:
            raise ArgumentsInvalid(f"/arguments{fault[0]}", fault[1])
        success = call.get("success", False)
        if not isinstance(success, bool):
            raise ValueInvalid("/success", "type")
        fault = _fault(self._value, call.get("value")) if success else None
        if fault is not None:
            raise ValueInvalid(f"/value{fault[0]}", fault[1])


def _compile(field: str, text: str, *, only: str = "") -> tuple[Validator, int]:
    """Answers a schema compiled, and its parts; raises SchemaInvalid, also for another type than `only`."""
    try:
        schema = sanity.parse(text)
        if only and schema.get("type") != only:
            raise SchemaInvalid("/type", f'it is of type "{only}" here')
        parts = sanity.parts(schema)
        return _compiled(schema), parts
    except SchemaInvalid as error:
        error.field = field
        raise


def _compiled(schema: dict[str, Any]) -> Validator:
    try:
        return Validator(schema, pattern_options=_PATTERNS, offline=True)
    except ValidationError as error:
        raise SchemaInvalid(sanity.pointer(error.instance_path), "the pattern is not taken here") from error


def _fault(validator: Validator, value: Any) -> tuple[str, str] | None:
    """Answers where the first fault is, and by which keyword; never what stands there: that is content."""
    try:
        validator.validate(value)
    except ValidationError as error:
        keyword = error.schema_path[-1] if error.schema_path else "false"
        return sanity.pointer(error.instance_path), str(keyword)
    except ValueError:
        # Nested deeper than the validator reads.
        return "", "depth"
    return None

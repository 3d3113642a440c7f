"""What the forms of procedures refuse. No message says what stands in a body: that is content."""

from __future__ import annotations

from chassis.errors import InvalidArgument


class ArgumentsInvalid(InvalidArgument):
    """The arguments of a call are not as the input form says. The metadata names the path and the keyword."""

    reason = "ARGUMENTS_INVALID"

    def __init__(self, path: str, keyword: str) -> None:
        super().__init__(
            f'The arguments break the input form at {path}: "{keyword}".',
            field="frame.body",
            path=path,
            keyword=keyword,
        )


class ValueInvalid(InvalidArgument):
    """The value of a call is not as the output schema says. The metadata names the path and the keyword."""

    reason = "VALUE_INVALID"

    def __init__(self, path: str, keyword: str) -> None:
        super().__init__(
            f'The value breaks the output schema at {path}: "{keyword}".',
            field="frame.body",
            path=path,
            keyword=keyword,
        )


class CallTooLarge(InvalidArgument):
    """So much is not checked against forms of this size."""

    reason = "CALL_TOO_LARGE"

    def __init__(self, most: int) -> None:
        super().__init__(
            f"A history of this procedure has at most {most} characters: send more as a file.",
            field="frame.body",
            most=most,
        )


class SchemaInvalid(InvalidArgument):
    """The schema may not be used as a form. The metadata names the path at fault."""

    reason = "SCHEMA_INVALID"

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"The schema cannot be used: at {path or '/'}, {why}.", path=path)

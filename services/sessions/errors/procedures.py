"""Refusals about the catalogue of procedures."""

from __future__ import annotations

from chassis.errors import Aborted, AlreadyExists, FailedPrecondition, NotFound


class ProcedureNotFound(NotFound):
    """The procedure is unknown, another enterprise's, or a draft that the caller does not keep."""

    reason = "PROCEDURE_NOT_FOUND"

    def __init__(self) -> None:
        super().__init__("The procedure does not exist.", field="procedure_id")


class EtagMismatch(Aborted):
    """The procedure has changed since the caller saw it: read it again."""

    reason = "ETAG_MISMATCH"


class ProcedureVersionNotFound(NotFound):
    """The procedure has no such version."""

    reason = "PROCEDURE_VERSION_NOT_FOUND"

    def __init__(self) -> None:
        super().__init__("The procedure has no such version.", field="version")


class ProcedureWithdrawn(FailedPrecondition):
    """No session is created with the procedure any more."""

    reason = "PROCEDURE_WITHDRAWN"

    def __init__(self) -> None:
        super().__init__("The procedure is withdrawn.", field="procedure_id")


class ProcedureDraft(FailedPrecondition):
    """The procedure was not published yet."""

    reason = "PROCEDURE_DRAFT"

    def __init__(self) -> None:
        super().__init__("The procedure is a draft: there is nothing to withdraw.", field="procedure_id")


class ProcedureCodeTaken(AlreadyExists):
    """Another procedure of the platform, or of the enterprise, has the code."""

    reason = "PROCEDURE_CODE_TAKEN"

    def __init__(self) -> None:
        super().__init__("Another procedure has this code.", field="code")

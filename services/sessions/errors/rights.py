"""Refusals about who may open and use a session."""

from __future__ import annotations

from chassis.errors import FailedPrecondition, NotFound, PermissionDenied, Unauthenticated


class AccountNotFound(NotFound):
    """No session of the enterprise is of such an account."""

    reason = "ACCOUNT_NOT_FOUND"

    def __init__(self) -> None:
        super().__init__("The enterprise has no session of such an account.", field="account_id")


class NotEmployed(PermissionDenied):
    """The acting account is of an enterprise, and no employee's."""

    reason = "NOT_EMPLOYED"

    def __init__(self) -> None:
        super().__init__("The acting account is no employee's.")


class TeamNotFound(NotFound):
    """The enterprise has no such team."""

    reason = "TEAM_NOT_FOUND"

    def __init__(self) -> None:
        super().__init__("The team does not exist.", field="team_id")


class TeamNotJoined(FailedPrecondition):
    """The account's holder is no companion of the team."""

    reason = "TEAM_NOT_JOINED"

    def __init__(self) -> None:
        super().__init__("The account's holder is no companion of the team.", field="team_id")


class NotGranted(PermissionDenied):
    """The enterprise denies what the session needs; its streams end."""


class ModelNotGranted(NotGranted):
    """The enterprise does not let the account use the model on this team, or on none."""

    reason = "MODEL_NOT_GRANTED"

    def __init__(self) -> None:
        super().__init__("The model may not be used here: ask for the right to it.", field="model")


class ProcedureNotGranted(NotGranted):
    """The enterprise does not let the account use the procedure on this team, or on none."""

    reason = "PROCEDURE_NOT_GRANTED"

    def __init__(self) -> None:
        super().__init__("The procedure may not be used here: ask for the right to it.", field="procedure_id")


class FrameModelNotGranted(PermissionDenied):
    """A frame names another model than its session, and the enterprise denies it. The stream goes on."""

    reason = "MODEL_NOT_GRANTED"

    def __init__(self) -> None:
        super().__init__("The model may not be used here: ask for the right to it.", field="frame.model")


class TicketRefused(Unauthenticated):
    """The ticket is unknown, used, expired or of a tenant of others. It does not say which."""

    reason = "TICKET_REFUSED"

    def __init__(self) -> None:
        super().__init__("The ticket is not good.")


class RightRevoked(PermissionDenied):
    """The member's login ended, the account may act no more, or the credential was revoked."""

    reason = "RIGHT_REVOKED"

    def __init__(self) -> None:
        super().__init__("The member, the account or the credential may act no more.")

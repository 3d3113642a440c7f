"""What this service refuses, each with its gRPC code and reason."""

from __future__ import annotations

from chassis.errors import (
    Aborted,
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
)


class SlugTaken(AlreadyExists):
    """The slug is another enterprise's; whose is not told."""

    reason = "SLUG_TAKEN"


class TimeZoneUnknown(InvalidArgument):
    """The time zone is none of IANA's names."""

    reason = "TIME_ZONE_UNKNOWN"


class DomainInvalid(InvalidArgument):
    """The text is no domain name, or one under which anybody may register."""

    reason = "DOMAIN_INVALID"


class DomainNotFound(NotFound):
    """The enterprise has no such domain."""

    reason = "DOMAIN_NOT_FOUND"


class DomainAdded(AlreadyExists):
    """The enterprise has the domain already."""

    reason = "DOMAIN_ADDED"


class DomainTaken(AlreadyExists):
    """Another enterprise has proven the domain; which is not told."""

    reason = "DOMAIN_TAKEN"


class DomainNotProven(FailedPrecondition):
    """The proof is not there."""

    reason = "DOMAIN_NOT_PROVEN"


class TooManyDomains(ResourceExhausted):
    """The enterprise has as many domains as one may have."""

    reason = "TOO_MANY_DOMAINS"


class DnsUnavailable(Unavailable):
    """The domain name system gives no answer now."""

    reason = "DNS_UNAVAILABLE"


class WebhookNotFound(NotFound):
    """The enterprise has no such webhook endpoint."""

    reason = "WEBHOOK_NOT_FOUND"


class WebhookUrlRefused(InvalidArgument):
    """The URL may not be asked; the metadata `refusal` says why."""

    reason = "WEBHOOK_URL_REFUSED"


class EventTypeUnknown(InvalidArgument):
    """No event has such a type."""

    reason = "EVENT_TYPE_UNKNOWN"


class TooManyWebhooks(ResourceExhausted):
    """The enterprise has as many webhook endpoints as one may have."""

    reason = "TOO_MANY_WEBHOOKS"


class WebhookDisabled(FailedPrecondition):
    """The webhook endpoint is disabled."""

    reason = "WEBHOOK_DISABLED"


class DeliveryNotFound(NotFound):
    """The enterprise has no such delivery, or no longer."""

    reason = "DELIVERY_NOT_FOUND"


class ReplayTooLarge(InvalidArgument):
    """The range holds more events than one replay takes."""

    reason = "REPLAY_TOO_LARGE"


class AddressInvalid(InvalidArgument):
    """The text is no email address."""

    reason = "ADDRESS_INVALID"


class InvitationNotFound(NotFound):
    """The enterprise has no such invitation."""

    reason = "INVITATION_NOT_FOUND"


class InvitationInvalid(NotFound):
    """The invitation cannot be answered by the caller; why is not told."""

    reason = "INVITATION_INVALID"


class InvitationOpen(AlreadyExists):
    """The address has an open invitation of the enterprise."""

    reason = "INVITATION_OPEN"


class InvitationEnded(FailedPrecondition):
    """The invitation was accepted, declined or revoked, or its time is over."""

    reason = "INVITATION_ENDED"


class InvitationResent(ResourceExhausted):
    """The mail of the invitation was sent a moment ago, or too often."""

    reason = "INVITATION_RESENT"


class EmployeeNotFound(NotFound):
    """The enterprise has no such employee."""

    reason = "EMPLOYEE_NOT_FOUND"


class TeamNotFound(NotFound):
    """The enterprise has no such team."""

    reason = "TEAM_NOT_FOUND"


class MemberNotFound(NotFound):
    """The member is unknown or not active: both look the same."""

    reason = "MEMBER_NOT_FOUND"


class AlreadyEmployed(AlreadyExists):
    """The member is employed in this enterprise already."""

    reason = "ALREADY_EMPLOYED"


class AppointmentAboveRight(PermissionDenied):
    """The appointment is not the caller's to make."""

    reason = "APPOINTMENT_ABOVE_RIGHT"


class DutiesNeedAManager(FailedPrecondition):
    """Duties are for managers: a member can have none, and an owner has all by the title."""

    reason = "DUTIES_NEED_A_MANAGER"


class EmployeeDismissed(FailedPrecondition):
    """The employee was dismissed or left."""

    reason = "EMPLOYEE_DISMISSED"


class EmployeeActive(FailedPrecondition):
    """The employee is employed: accounts are handed over after a dismissal."""

    reason = "EMPLOYEE_ACTIVE"


class LastOwner(FailedPrecondition):
    """The enterprise would be left without an owner."""

    reason = "LAST_OWNER"


class SuccessorNotFound(NotFound):
    """The enterprise employs no such successor, or it is who was dismissed."""

    reason = "SUCCESSOR_NOT_FOUND"


class HandoverPending(FailedPrecondition):
    """The account is being handed over at this moment."""

    reason = "HANDOVER_PENDING"


class NothingToHandOver(FailedPrecondition):
    """No account of the employee is frozen: each has a successor."""

    reason = "NOTHING_TO_HAND_OVER"


class CompanionNotFound(NotFound):
    """The employee is not in the team."""

    reason = "COMPANION_NOT_FOUND"


class DeputyNotFound(NotFound):
    """The enterprise has no such deputyship."""

    reason = "DEPUTY_NOT_FOUND"


class DeputyOfThemself(InvalidArgument):
    """Nobody stands in for themself."""

    reason = "DEPUTY_OF_THEMSELF"


class DeputyTimeInvalid(InvalidArgument):
    """The end of the deputyship is past, or too far away."""

    reason = "DEPUTY_TIME_INVALID"


class NothingToStandInFor(FailedPrecondition):
    """The absent one is neither chief nor manager there."""

    reason = "NOTHING_TO_STAND_IN_FOR"


class TeamArchived(FailedPrecondition):
    """The team, or the one above it, is archived."""

    reason = "TEAM_ARCHIVED"


class TeamActive(FailedPrecondition):
    """The team is not archived."""

    reason = "TEAM_ACTIVE"


class TeamCycle(FailedPrecondition):
    """The team would stand below itself."""

    reason = "TEAM_CYCLE"


class SiblingNotFound(NotFound):
    """No such team stands where the moved one is to stand."""

    reason = "SIBLING_NOT_FOUND"


class TeamAboveRight(PermissionDenied):
    """The team, or its new place, is not the caller's to decide about."""

    reason = "TEAM_ABOVE_RIGHT"


class EtagMismatch(Aborted):
    """The resource has changed since the caller saw it: read it again."""

    reason = "ETAG_MISMATCH"


class CurrencyUnknown(InvalidArgument):
    """The currency is none of ISO 4217's."""

    reason = "CURRENCY_UNKNOWN"


class ValueMissing(InvalidArgument):
    """The field is to be changed, and cannot be empty."""

    reason = "VALUE_MISSING"


class SlugsExhausted(FailedPrecondition):
    """The enterprise keeps every slug that it had, and has had as many as it may."""

    reason = "SLUGS_EXHAUSTED"


class LogoInvalid(InvalidArgument):
    """The bytes are no PNG or JPEG, or the image is too large."""

    reason = "LOGO_INVALID"


class EnterpriseActive(FailedPrecondition):
    """The enterprise is active."""

    reason = "ENTERPRISE_ACTIVE"


class EnterpriseSuspended(FailedPrecondition):
    """The enterprise is suspended."""

    reason = "ENTERPRISE_SUSPENDED"


class EnterpriseClosed(FailedPrecondition):
    """The enterprise is closed."""

    reason = "ENTERPRISE_CLOSED"


class ClosingNotConfirmed(InvalidArgument):
    """The slug was not typed in."""

    reason = "CLOSING_NOT_CONFIRMED"


class ReopeningTooLate(FailedPrecondition):
    """The enterprise was closed too long ago."""

    reason = "REOPENING_TOO_LATE"


class LeavingNeedsDismissal(FailedPrecondition):
    """The enterprise wants every employment to end by a dismissal."""

    reason = "LEAVING_NEEDS_DISMISSAL"


class TeamTooDeep(FailedPrecondition):
    """The team would stand deeper in the tree than teams may."""

    reason = "TEAM_TOO_DEEP"


class ActingEnded(Unauthenticated):
    """Identity says that the caller may not act any more, whatever was known a moment ago."""

    reason = "PRINCIPAL_ENDED"


class GrantAboveRight(PermissionDenied):
    """The grant, or the request for one, is not the caller's to decide."""

    reason = "GRANT_ABOVE_RIGHT"


class LockMisplaced(InvalidArgument):
    """Only a deny of the whole enterprise can be locked."""

    reason = "LOCK_MISPLACED"


class ExplanationAboveRight(PermissionDenied):
    """The caller may not ask about this person."""

    reason = "EXPLANATION_ABOVE_RIGHT"


class GrantRequestNotFound(NotFound):
    """The enterprise has no such request for a right, or none that the caller may see."""

    reason = "GRANT_REQUEST_NOT_FOUND"


class GrantRequestOpen(AlreadyExists):
    """The person has requested the resource already, and nobody decided yet."""

    reason = "GRANT_REQUEST_OPEN"


class GrantRequestClosed(FailedPrecondition):
    """The request for a right was decided or withdrawn."""

    reason = "GRANT_REQUEST_CLOSED"


class AlreadyGranted(FailedPrecondition):
    """The person may use the resource there."""

    reason = "ALREADY_GRANTED"


class TeamNotJoined(FailedPrecondition):
    """The person is no companion of the team."""

    reason = "TEAM_NOT_JOINED"


class GrantStillDenied(FailedPrecondition):
    """Something that covers more than the requested resource, or that others decide, denies it still."""

    reason = "GRANT_STILL_DENIED"


class MemberNotActive(FailedPrecondition):
    """The member whom the directory names is suspended, or has closed the membership."""

    reason = "MEMBER_NOT_ACTIVE"


class ImportTooLarge(InvalidArgument):
    """The file has more bytes or rows than an import takes; nothing of it was done."""

    reason = "IMPORT_TOO_LARGE"


class ImportNotText(InvalidArgument):
    """The file is no CSV in UTF-8."""

    reason = "IMPORT_NOT_TEXT"


class ImportHeaderInvalid(InvalidArgument):
    """The first row does not name the columns: one is missing, unknown or named twice."""

    reason = "IMPORT_HEADER_INVALID"


class ImportEmpty(InvalidArgument):
    """The file has no rows."""

    reason = "IMPORT_EMPTY"


class ImportRowInvalid(InvalidArgument):
    """A row of the file is wrong in itself."""

    reason = "IMPORT_ROW_INVALID"


class ImportRefused(FailedPrecondition):
    """Some rows cannot be done, and all or none were wanted: nothing was done."""

    reason = "IMPORT_REFUSED"


class TeamAmbiguous(FailedPrecondition):
    """Several live teams at one place have the name."""

    reason = "TEAM_AMBIGUOUS"

"""The refusals of enterprises and their domains."""

from typing import ClassVar

from chassis.errors import (
    Aborted,
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    ResourceExhausted,
    Unavailable,
)


class SlugTaken(AlreadyExists):
    """The slug is another enterprise's; whose is not told."""

    reason = "SLUG_TAKEN"


class SlugsExhausted(FailedPrecondition):
    """The enterprise keeps every slug that it had, and has had as many as it may."""

    reason = "SLUGS_EXHAUSTED"


class TimeZoneUnknown(InvalidArgument):
    """The time zone is none of IANA's names."""

    reason = "TIME_ZONE_UNKNOWN"


class CurrencyUnknown(InvalidArgument):
    """The currency is none of ISO 4217's."""

    reason = "CURRENCY_UNKNOWN"


class ValueMissing(InvalidArgument):
    """The field is to be changed, and cannot be empty."""

    reason = "VALUE_MISSING"


class LogoInvalid(InvalidArgument):
    """The bytes are no PNG or JPEG, or the image is too large."""

    reason = "LOGO_INVALID"


class EtagMismatch(Aborted):
    """The resource has changed since the caller saw it: read it again."""

    reason = "ETAG_MISMATCH"


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


class PlanLimitReached(ResourceExhausted):
    """The plan has no room: `limit` says for what, `most` and `used` how many there may be and are."""

    reason = "PLAN_LIMIT_REACHED"
    status: ClassVar[int] = 403
    """In SCIM, where 429 would have directories try again and again."""


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

"""The refusals of webhooks."""

from chassis.errors import FailedPrecondition, InvalidArgument, NotFound, ResourceExhausted


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

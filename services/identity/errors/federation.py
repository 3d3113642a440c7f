"""The refusals of signing in by another provider, each with its gRPC code and its reason."""

from chassis.errors import (
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    Unauthenticated,
    Unavailable,
)


class ProviderUnknown(NotFound):
    """No such provider is configured, or the domain has no single sign-on."""

    reason = "SIGN_IN_PROVIDER_UNKNOWN"


class ProviderUnavailable(Unavailable):
    """The provider does not answer, or not as OpenID Connect has it."""

    reason = "SIGN_IN_PROVIDER_UNAVAILABLE"


class RedirectUriUnknown(InvalidArgument):
    """The redirect URI is none of those that are configured."""

    reason = "REDIRECT_URI_UNKNOWN"


class FederatedSignInRefused(Unauthenticated):
    """State, code, binding or ID token is not good. It does not say which."""

    reason = "FEDERATED_SIGN_IN_REFUSED"


class AddressUnverified(PermissionDenied):
    """The provider does not vouch for the address of who signed in."""

    reason = "ADDRESS_UNVERIFIED"


class AddressNotOfEnterprise(PermissionDenied):
    """An enterprise's provider asserts an address outside the enterprise's domains."""

    reason = "ADDRESS_NOT_OF_ENTERPRISE"


class IdentityLinkNeeded(PermissionDenied):
    """A member has the address, who has to link the identity themselves."""

    reason = "IDENTITY_LINK_NEEDED"


class IdentityTaken(AlreadyExists):
    """Another member has the identity."""

    reason = "IDENTITY_TAKEN"


class IdentityNotFound(NotFound):
    """The caller has no such identity."""

    reason = "IDENTITY_NOT_FOUND"


class SingleSignOnNotFound(NotFound):
    """The enterprise has no single sign-on."""

    reason = "SINGLE_SIGN_ON_NOT_FOUND"


class IssuerRefused(InvalidArgument):
    """The issuer is no public https address."""

    reason = "ISSUER_REFUSED"


class IssuerUnusable(FailedPrecondition):
    """The configuration of the issuer cannot be read, or is another issuer's."""

    reason = "ISSUER_UNUSABLE"


class ClientSecretMissing(InvalidArgument):
    """There is no secret that could be kept for this issuer and client."""

    reason = "CLIENT_SECRET_MISSING"

"""What an enterprise asks of who acts in it, beyond a good token: how, when and from where they signed in.

Identity judges the sign-in and says which networks are allowed; where a call comes from is judged where it
arrives, so that one kept answer serves every address.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

from chassis.call import Caller
from chassis.errors import PermissionDenied, Unauthenticated
from chassis.rpc.origins import Network, address_of
from wrtn.identity.v1.principals_pb2 import SignInRefusal

_OTHERWISE = "or act by another account."


class SecondFactorRequired(Unauthenticated):
    """The enterprise asks for a second factor, and the sign-in had none."""

    reason = "SECOND_FACTOR_REQUIRED"


class SingleSignOnRequired(Unauthenticated):
    """The enterprise asks for its own single sign-on, and the sign-in was another."""

    reason = "SINGLE_SIGN_ON_REQUIRED"


class SessionTooOld(Unauthenticated):
    """The enterprise asks for a younger sign-in."""

    reason = "SESSION_TOO_OLD"


class AddressNotAllowed(PermissionDenied):
    """The enterprise allows other networks alone."""

    reason = "ADDRESS_NOT_ALLOWED"


@dataclass(frozen=True, slots=True)
class Refused:
    """A caller whose sign-in does not suffice for the enterprise of the acting account."""

    caller: Caller
    refusal: SignInRefusal.ValueType


def refuse(refusal: SignInRefusal.ValueType) -> NoReturn:
    """Raises what a refusal means, with what to do about it."""
    if refusal == SignInRefusal.SIGN_IN_REFUSAL_SECOND_FACTOR_REQUIRED:
        raise SecondFactorRequired(
            f"The enterprise asks for a second factor: sign in with an app's code or a passkey, {_OTHERWISE}"
        )
    if refusal == SignInRefusal.SIGN_IN_REFUSAL_SINGLE_SIGN_ON_REQUIRED:
        raise SingleSignOnRequired(f"The enterprise asks for its single sign-on: sign in by it, {_OTHERWISE}")
    raise SessionTooOld(f"The enterprise asks for a younger sign-in: sign in again, {_OTHERWISE}")


def check_address(networks: tuple[Network, ...], address: str) -> None:
    """Raises AddressNotAllowed unless the address is in one of the networks; without any, all are allowed."""
    if not networks:
        return
    found = address_of(address)
    if found is None or not any(found in each for each in networks):
        raise AddressNotAllowed(
            f"The enterprise does not allow this address: come from its network, {_OTHERWISE}"
        )

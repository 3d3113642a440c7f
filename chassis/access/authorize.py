"""Enforces the declared rule of a method."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NoReturn
from uuid import UUID

from chassis.access.employment import AccessCache
from chassis.access.rules import MethodRule, ReadField
from chassis.auth.api_keys import READ, WRITE
from chassis.call import Access, Caller, CallerKind
from chassis.errors import InvalidArgument, NotFound, PermissionDenied, Unauthenticated
from wrtn.access.v1.access_pb2 import Rule, Title


class CredentialMissing(Unauthenticated):
    """The method needs a credential and the call carries none."""

    reason = "CREDENTIAL_MISSING"


class NotAdmitted(PermissionDenied):
    """The access rule of the method does not admit the caller."""

    reason = "NOT_ADMITTED"


class SignInNeeded(PermissionDenied):
    """The method wants a member who signed in, and the call came with an API key."""

    reason = "SIGN_IN_NEEDED"


class AccountFrozen(PermissionDenied):
    """The acting account is an enterprise's, and who holds it is not employed there any more."""

    reason = "ACCOUNT_FROZEN"


class KeyScopeMissing(PermissionDenied):
    """The API key has not the scope that the method needs: "read", or "write"."""

    reason = "KEY_SCOPE_MISSING"


def admits(method: MethodRule, caller: Caller) -> bool:
    """Says whether the rule admits the caller by what the caller is alone, whatever the request."""
    rule = method.rule
    if rule.anyone:
        return True
    if caller.kind is CallerKind.MEMBER:
        if caller.api_key and not _key_reaches(method, caller):
            return False
        return (
            rule.member and not (rule.at_work and _of_enterprise(caller))
        ) or 0 < rule.staff <= caller.staff
    if caller.kind is CallerKind.SERVICE:
        return rule.service_scope in caller.scopes
    return caller.kind is CallerKind.PEER and rule.peer


def by_right_alone(method: MethodRule, caller: Caller) -> bool:
    """Says whether a caller who was let in owes it to a right as staff, and to nothing else."""
    rule = method.rule
    return 0 < rule.staff <= caller.staff and not (rule.anyone or rule.member) and caller.access is None


async def authorize(method: MethodRule, caller: Caller, request: Any, access: AccessCache) -> Caller:
    """Answers the caller, with its access if an enterprise rule admits it.

    Raises CredentialMissing, NotAdmitted, AccountFrozen, for an API key SignInNeeded and KeyScopeMissing,
    NotFound for an enterprise of others, InvalidArgument for an id that is none, and Unavailable if
    enterprise does not answer.
    """
    rule = method.rule
    if admits(method, caller):
        return caller
    if caller.kind is CallerKind.ANONYMOUS:
        raise CredentialMissing("The call needs a credential.")
    employees = rule.HasField("enterprise")
    if caller.api_key and (rule.member or employees) and not _key_reaches(method, caller):
        _refuse_key(method)
    if caller.kind is CallerKind.MEMBER and rule.member:
        await _require_work(caller, access)
        return caller
    if caller.kind is not CallerKind.MEMBER or not employees:
        raise NotAdmitted("The caller may not call this method.")
    return replace(caller, access=await _employed(method, caller, request, access))


def _key_reaches(method: MethodRule, caller: Caller) -> bool:
    return not method.rule.interactive and (READ if method.reads else WRITE) in caller.scopes


def _refuse_key(method: MethodRule) -> NoReturn:
    if method.rule.interactive:
        raise SignInNeeded("An API key does not suffice here: sign in.")
    scope = READ if method.reads else WRITE
    raise KeyScopeMissing(f"The API key needs the scope {scope} for this method.", scope=scope)


def _of_enterprise(caller: Caller) -> bool:
    """Whether the acting account is an enterprise's."""
    return caller.account_id is not None and caller.tenant_id not in (None, caller.account_id)


async def _require_work(caller: Caller, access: AccessCache) -> None:
    """Raises AccountFrozen for an account of an enterprise that does not employ its holder now."""
    if caller.tenant_id is None or caller.account_id is None:
        raise NotAdmitted("The caller has no account.")
    if await access.resolve(caller.tenant_id, caller.account_id, member_id=caller.member_id) is None:
        raise AccountFrozen("Its enterprise does not employ you any more: act with another account.")


async def _employed(method: MethodRule, caller: Caller, request: Any, access: AccessCache) -> Access:
    """Answers the access of the acting account if it suffices in the enterprise, or team, of the request."""
    named = _id(method.enterprise_of, method.rule.enterprise.enterprise_field, request)
    if caller.tenant_id is None or caller.account_id is None or named not in (None, caller.tenant_id):
        _refuse(named)
    team_id = _id(method.team_of, method.rule.enterprise.team_field, request, optional=True)
    found = await access.resolve(
        caller.tenant_id, caller.account_id, team_id, member_id=caller.member_id, fresh=method.fresh
    )
    if found is None:
        _refuse(named)
    if not _suffices(method.rule, found):
        raise NotAdmitted("The caller's title or role does not suffice.")
    return found


def _suffices(rule: Rule, access: Access) -> bool:
    wanted = rule.enterprise
    if not wanted.title and not wanted.role:
        return True
    by_title = 0 < wanted.title <= access.title
    by_duty = access.title >= Title.TITLE_MANAGER and 0 < wanted.duty in access.duties
    return by_title or by_duty or (access.team is not None and 0 < wanted.role <= access.team.role)


def _refuse(named: UUID | None) -> NoReturn:
    """Answers who is nobody in the enterprise: one that the request names is then not known to exist."""
    if named is not None:
        raise NotFound("The enterprise does not exist.")
    raise NotAdmitted("The acting account is no employee's.")


def _id(read: ReadField | None, field: str, request: Any, *, optional: bool = False) -> UUID | None:
    text = read(request) if read is not None else ""
    if read is None or (optional and not text):
        return None
    try:
        return UUID(text) if len(text) == len("00000000-0000-0000-0000-000000000000") else _no_id(field)
    except ValueError:
        return _no_id(field)


def _no_id(field: str) -> UUID:
    raise InvalidArgument("The value is not a UUID.", field=field)

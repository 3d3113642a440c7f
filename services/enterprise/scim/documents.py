"""SCIM's documents: read leniently where large directory services depart from the RFCs, written strictly."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Any, TypeAlias, TypeVar
from uuid import UUID

import scim2_models
from pydantic import ValidationError
from scim2_models import Context, ResponseParameters, SCIMException, ScimPolicy

from services.enterprise.errors import AddressInvalid
from services.enterprise.invitations import invitees
from services.enterprise.scim.errors import ScimDocumentTooLarge, ScimSyntaxInvalid, ScimValueInvalid, refusal

User: TypeAlias = scim2_models.User[scim2_models.EnterpriseUser]
Group: TypeAlias = scim2_models.Group
R = TypeVar("R", User, Group)

BASE = "/scim/v2"
MOST_BYTES = 1024 * 1024
_MANAGER = ":manager"
# Entra ID removes by value and adds to what a filter does not find; many send attributes of their own.
_POLICY = ScimPolicy(
    unknown=ScimPolicy.Unknown.ignore,
    remove_value_as_filter=ScimPolicy.RemoveValue.apply,
    unmatched_path_filter=ScimPolicy.UnmatchedPathFilter.create,
)
_NOT_STORED = {"id", "meta", "password", "groups"}


def read(kind: type[R], data: bytes) -> R:
    """Reads a resource. Raises ScimDocumentTooLarge, ScimSyntaxInvalid and what `refusal` answers."""
    return _validated(kind, _parsed(data), Context.RESOURCE_CREATION_REQUEST)


def stored(kind: type[R], data: bytes) -> R:
    """Reads what `kept` made of a resource."""
    return kind.model_validate_json(data)


def kept(resource: User | Group) -> bytes:
    """Writes what is stored of a resource: no password, and nothing that we know from elsewhere."""
    found = resource.model_dump(scim_ctx=Context.DEFAULT)
    return json.dumps({name: found[name] for name in found if name not in _NOT_STORED}).encode()


def patched(current: R, data: bytes) -> R:
    """Answers the resource after all the operations of a PatchOp; raises as `read` does if one fails."""
    document = _parsed(data)
    for each in _operations(document):
        _bend(each, str(current.id))
    kind = type(current)
    after = current.model_copy(deep=True)
    try:
        with _POLICY:
            patch = scim2_models.PatchOp[kind].model_validate(  # type: ignore[valid-type]
                document, scim_ctx=Context.RESOURCE_PATCH_REQUEST
            )
            patch.patch(after)
    except (SCIMException, ValidationError) as error:
        raise refusal(error) from error
    return _validated(kind, after.model_dump(scim_ctx=Context.DEFAULT), Context.DEFAULT)


def address_of(user: User) -> str:
    """Answers the address of the member: the primary email, else that at work, else the first, else userName.

    Raises ScimValueInvalid if none is an address.
    """
    emails = user.emails or []
    ranked = sorted(emails, key=lambda each: (not each.primary, each.type != "work"))
    text = next((str(each.value) for each in ranked if each.value), user.user_name or "")
    try:
        return invitees.parsed(text)
    except AddressInvalid as error:
        raise ScimValueInvalid("The user has no email, and userName is no address.") from error


def name_of(user: User) -> str:
    """Answers what the user is called, or an empty text."""
    if user.display_name:
        return user.display_name[:100]
    if user.name is None:
        return ""
    parts = (user.name.given_name, user.name.family_name)
    return (user.name.formatted or " ".join(part for part in parts if part))[:100]


def stamp(resource: User | Group, resource_id: UUID, created: datetime, modified: datetime) -> None:
    """Adds id and meta; the version is of the content alone, so that every change of it shows."""
    resource.id, resource.meta = str(resource_id), None
    content = resource.model_dump_json(scim_ctx=Context.DEFAULT).encode()
    kind = type(resource).__name__.partition("[")[0]
    resource.meta = scim2_models.Meta(
        resource_type=kind,
        created=created,
        last_modified=modified,
        location=f"{BASE}/{kind}s/{resource_id}",
        version=f'W/"{hashlib.sha256(content).hexdigest()[:24]}"',
    )


def version_of(resource: User | Group) -> str:
    """Answers the version that `stamp` gave."""
    return str(resource.meta.version) if resource.meta else ""


def shown(resource: User | Group, attributes: str, excluded: str) -> dict[str, Any]:
    """Answers the resource with the attributes that were asked for. Raises ScimPathInvalid and the like."""
    chosen: dict[str, str] = {}
    if attributes:
        chosen["attributes"] = attributes
    if excluded:
        chosen["excluded_attributes"] = excluded
    try:
        wanted = ResponseParameters[type(resource)](**chosen)  # type: ignore[misc, operator]
        with _POLICY:
            return resource.model_dump(scim_ctx=Context.RESOURCE_QUERY_RESPONSE, response_parameters=wanted)
    except (SCIMException, ValidationError) as error:
        raise refusal(error) from error


def listed(resources: list[dict[str, Any]], total: int, start: int) -> dict[str, Any]:
    """Answers a page of resources."""
    return {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": total,
        "startIndex": start,
        "itemsPerPage": len(resources),
        "Resources": resources,
    }


def _parsed(data: bytes) -> Any:
    if len(data) > MOST_BYTES:
        raise ScimDocumentTooLarge(f"The document is longer than {MOST_BYTES} bytes.")
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ScimSyntaxInvalid("The document is no JSON.") from error


def _validated(kind: type[R], document: Any, context: Context) -> R:
    try:
        return kind.model_validate(document, scim_ctx=context, scim_policy=_POLICY)
    except (SCIMException, ValidationError) as error:
        raise refusal(error) from error


def _operations(document: Any) -> list[dict[str, Any]]:
    found = document.get("Operations") if isinstance(document, dict) else None
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _bend(operation: dict[str, Any], resource_id: str) -> None:
    """Takes two shapes that are not the RFC's: a manager by id alone (Entra ID), the own id again (Okta)."""
    path, value = operation.get("path"), operation.get("value")
    if isinstance(path, str) and path.lower().endswith(_MANAGER) and isinstance(value, str):
        operation["value"] = {"value": value}
    if not path and isinstance(value, dict) and value.get("id") == resource_id:
        operation["value"] = {name: value[name] for name in value if name != "id"}

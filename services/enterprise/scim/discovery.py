"""What the service says of itself: its configuration, resource types and schemas (RFC 7643, 5 to 7)."""

from __future__ import annotations

from functools import cache
from typing import Any

import scim2_models
from scim2_models import Context

from services.enterprise.scim import documents
from services.enterprise.scim.errors import ScimResourceNotFound

Document = dict[str, Any]
CONFIGURATION = "ServiceProviderConfig"
MOST_RESULTS = 200


def whole(resource_type: str) -> Document:
    """Answers the configuration, or all resource types or schemas. Raises ScimResourceNotFound."""
    if resource_type == CONFIGURATION:
        return _configuration()
    found = list(_described(resource_type).values())
    return documents.listed(found, len(found), 1)


def one(resource_type: str, resource_id: str) -> Document:
    """Answers one resource type or schema. Raises ScimResourceNotFound."""
    found = _described(resource_type).get(resource_id)
    if found is None:
        raise ScimResourceNotFound("There is nothing of this name.")
    return found


def _described(resource_type: str) -> dict[str, Document]:
    match resource_type:
        case "ResourceTypes":
            return _resource_types()
        case "Schemas":
            return _schemas()
    raise ScimResourceNotFound("There are no resources of this type.")


@cache
def _configuration() -> Document:
    bearer = scim2_models.AuthenticationScheme(
        type=scim2_models.AuthenticationScheme.Type.oauthbearertoken,
        name="API key",
        description="An API key of the enterprise with the scope scim.provision, as a bearer token.",
        primary=True,
    )
    found = scim2_models.ServiceProviderConfig(
        patch=scim2_models.Patch(supported=True),
        bulk=scim2_models.Bulk(supported=False, max_operations=0, max_payload_size=0),
        filter=scim2_models.Filter(supported=True, max_results=MOST_RESULTS),
        change_password=scim2_models.ChangePassword(supported=False),
        sort=scim2_models.Sort(supported=False),
        etag=scim2_models.ETag(supported=True),
        authentication_schemes=[bearer],
        meta=_meta(CONFIGURATION, f"{documents.BASE}/{CONFIGURATION}"),
    )
    return found.model_dump(scim_ctx=Context.RESOURCE_QUERY_RESPONSE)


@cache
def _resource_types() -> dict[str, Document]:
    kinds = [scim2_models.ResourceType.from_resource(each) for each in (documents.User, documents.Group)]
    for each in kinds:
        each.meta = _meta("ResourceType", f"{documents.BASE}/ResourceTypes/{each.id}")
    return {str(each.id): each.model_dump(scim_ctx=Context.RESOURCE_QUERY_RESPONSE) for each in kinds}


@cache
def _schemas() -> dict[str, Document]:
    kinds = (scim2_models.User, scim2_models.EnterpriseUser, scim2_models.Group)
    found = [each.to_schema() for each in kinds]
    for each in found:
        each.meta = _meta("Schema", f"{documents.BASE}/Schemas/{each.id}")
    return {str(each.id): each.model_dump(scim_ctx=Context.RESOURCE_QUERY_RESPONSE) for each in found}


def _meta(resource_type: str, location: str) -> scim2_models.Meta:
    return scim2_models.Meta(resource_type=resource_type, location=location)

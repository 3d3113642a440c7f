"""Service credentials and API keys, as messages. Pure."""

from __future__ import annotations

from typing import Any

from services.identity import models
from services.identity.convert.times import timestamp
from services.identity.models import PLATFORM
from wrtn.identity.v1 import (
    api_keys_pb2,
    credentials_pb2,
)


def credential(row: models.ServiceCredential) -> credentials_pb2.ServiceCredential:
    """Answers a credential, without its secret."""
    return credentials_pb2.ServiceCredential(
        id=str(row.id),
        enterprise_id="" if row.tenant_id == PLATFORM else str(row.tenant_id),
        display_name=row.display_name,
        scopes=row.scopes,
        create_time=timestamp(row.create_time),
        revoke_time=timestamp(row.revoke_time),
        expire_time=timestamp(row.expire_time),
        last_use_time=timestamp(row.last_use_time),
        old_secret_expire_time=timestamp(row.old_secret_expire_time),
    )


def member_key(row: models.ApiKey, display_name: str) -> api_keys_pb2.ApiKey:
    """Answers an API key of a member, without its text."""
    return api_keys_pb2.ApiKey(
        member_id=str(row.member_id),
        account_id=str(row.account_id),
        display_name=display_name,
        **_key_fields(row),
    )


def enterprise_key(row: models.ServiceCredential) -> api_keys_pb2.ApiKey:
    """Answers an API key of an enterprise, without its text."""
    return api_keys_pb2.ApiKey(
        enterprise_id=str(row.tenant_id), display_name=row.display_name, **_key_fields(row)
    )


def _key_fields(row: models.ApiKey | models.ServiceCredential) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "scopes": row.scopes,
        "ending": row.ending,
        "create_time": timestamp(row.create_time),
        "expire_time": timestamp(row.expire_time),
        "last_use_time": timestamp(row.last_use_time),
        "revoke_time": timestamp(row.revoke_time),
    }

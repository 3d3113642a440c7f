"""Certificates of erasures: administrators read them all, and who was erased reads their own by a token.

The token is mailed to whoever is to be erased, while there still is an address. It is derived and kept
nowhere: nothing of an erased member is left to keep it with.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Sequence
from datetime import datetime
from typing import NoReturn
from uuid import UUID

from sqlalchemy import select, tuple_

from chassis.crypto import Keyring
from chassis.database import Snapshot
from services.identity import bearers
from services.identity.errors import CertificateNotFound
from services.identity.models import ErasureCertificate

_PURPOSE = "erasure_certificate.token"
"""The context that keeps these tokens apart from all other keyed hashes."""
_PLACE = (ErasureCertificate.create_time, ErasureCertificate.id)


def token(keyring: Keyring, member_id: UUID) -> str:
    """Answers the token by which a member reads the certificate of their own erasure."""
    secret = base64.urlsafe_b64encode(keyring.lookup(_PURPOSE, str(member_id))).decode().rstrip("=")
    return bearers.of(bearers.CERTIFICATE, member_id, secret)


async def by_token(snapshot: Snapshot, keyring: Keyring, given: str) -> ErasureCertificate:
    """Answers the newest certificate of the token's member; raises CertificateNotFound."""
    member_id = bearers.owner_of(bearers.CERTIFICATE, given)
    if member_id is None or not hmac.compare_digest(token(keyring, member_id), given):
        _refuse("token")
    query = select(ErasureCertificate).where(ErasureCertificate.member_id == member_id)
    newest = query.order_by(*(column.desc() for column in _PLACE)).limit(1)
    return await snapshot.session.scalar(newest) or _refuse("token")


async def get(snapshot: Snapshot, erasure_id: UUID) -> ErasureCertificate:
    """Answers a certificate; raises CertificateNotFound."""
    return await snapshot.session.get(ErasureCertificate, erasure_id) or _refuse("erasure_id")


async def page(
    snapshot: Snapshot, before: tuple[datetime, UUID] | None, most: int
) -> Sequence[ErasureCertificate]:
    """Answers the certificates, the newest first."""
    query = select(ErasureCertificate).order_by(*(column.desc() for column in _PLACE)).limit(most)
    if before is not None:
        query = query.where(tuple_(*_PLACE) < before)
    return (await snapshot.session.scalars(query)).all()


def _refuse(field: str) -> NoReturn:
    raise CertificateNotFound("There is no such certificate.", field=field)

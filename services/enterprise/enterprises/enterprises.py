"""Creating and changing enterprises."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from typing import Any
from uuid import UUID
from zoneinfo import available_timezones

from google.protobuf.field_mask_pb2 import FieldMask

from chassis import images, masks
from chassis.call import Access
from chassis.crypto import Keyring
from chassis.currencies import CURRENCIES
from chassis.database import Transaction
from services.enterprise import convert, events
from services.enterprise.errors import (
    AppointmentAboveRight,
    CurrencyUnknown,
    EtagMismatch,
    LogoInvalid,
    SlugsExhausted,
    SlugTaken,
    TimeZoneUnknown,
    ValueMissing,
)
from services.enterprise.models import Employee, Enterprise
from services.enterprise.people import appointments
from services.enterprise.people.appointments import Act
from services.enterprise.store import Enterprises
from wrtn.access.v1.access_pb2 import TITLE_OWNER
from wrtn.enterprise.v1 import enterprises_pb2
from wrtn.enterprise.v1.enterprises_pb2 import (
    ENTERPRISE_STATE_ACTIVE,
    CreateEnterpriseRequest,
    CreateEnterpriseResponse,
    EnterpriseSettings,
    SetLogoRequest,
    UpdateEnterpriseRequest,
)

_DEFAULT_TIME_ZONE = "UTC"
_DEFAULT_LOCALE = "en"
_DEFAULT_CURRENCY = "USD"
_MOST_SLUGS = 10
"""How many slugs an enterprise may have had: it keeps them all, so that nobody takes over its addresses."""
_CHANGEABLE = ("display_name", "slug", "time_zone", "locale", "settings")
_SETTINGS = "settings."
_LOGOS = ("image/png", "image/jpeg")


async def create(
    tx: Transaction, keyring: Keyring, enterprise_id: UUID, member_id: UUID, request: CreateEnterpriseRequest
) -> CreateEnterpriseResponse:
    """Creates the enterprise with this member as its owner, and the record of that first appointment.

    Raises TimeZoneUnknown, CurrencyUnknown and SlugTaken.
    """
    time_zone = request.time_zone or _DEFAULT_TIME_ZONE
    _check_time_zone(time_zone, "time_zone")
    currency = request.currency or _DEFAULT_CURRENCY
    if currency not in CURRENCIES:
        raise CurrencyUnknown("The currency is none of ISO 4217's.", field="currency")
    if not await Enterprises(tx, enterprise_id).take_slug(request.slug):
        raise SlugTaken("The slug is taken.", field="slug")
    enterprise = Enterprise(
        tenant_id=enterprise_id,
        display_name=request.display_name,
        slug=request.slug,
        time_zone=time_zone,
        locale=request.locale or _DEFAULT_LOCALE,
        currency=currency,
        settings=b"",
        logo_etag="",
        state=ENTERPRISE_STATE_ACTIVE,
        version=1,
        last_team_change=0,
        last_appointment=0,
        last_change_time=tx.now,
        create_time=tx.now,
    )
    owner = await _add(tx, keyring, enterprise, member_id)
    return CreateEnterpriseResponse(
        enterprise=convert.enterprise(enterprise), employee_id=str(owner.id), account_id=str(owner.account_id)
    )


async def update(
    tx: Transaction, _keyring: Keyring, decider_id: UUID, request: UpdateEnterpriseRequest
) -> enterprises_pb2.Enterprise:
    """Changes what the mask names.

    Raises UpdateMaskInvalid, EtagMismatch, ValueMissing, TimeZoneUnknown, SlugTaken and SlugsExhausted.
    """
    wanted = request.enterprise
    row, decider = await appointments.begin(tx, UUID(wanted.id), decider_id)
    _require_owner(decider)
    if wanted.etag not in ("", str(row.version)):
        raise EtagMismatch("The enterprise has changed since: read it again.", field="enterprise.etag")
    changes = _changes(wanted, request.update_mask, EnterpriseSettings.FromString(row.settings))
    empty = next((name for name, value in changes.items() if not value and name != "settings"), None)
    if empty is not None:
        raise ValueMissing("The value cannot be empty.", field=f"enterprise.{empty}")
    if "time_zone" in changes:
        _check_time_zone(changes["time_zone"], "enterprise.time_zone")
    if "slug" in changes:
        await _take_slug(Enterprises(tx, row.tenant_id), changes["slug"])
    for name, value in changes.items():
        setattr(row, name, value)
    _changed(tx, row, "enterprise.updated")
    return convert.enterprise(row)


async def set_logo(
    tx: Transaction, _keyring: Keyring, decider_id: UUID, request: SetLogoRequest
) -> enterprises_pb2.Enterprise:
    """Sets the logo, or takes it away. Raises LogoInvalid."""
    kind = _logo_type(request.image) if request.image else ""
    row, decider = await appointments.begin(tx, UUID(request.enterprise_id), decider_id)
    _require_owner(decider)
    known = Enterprises(tx, row.tenant_id)
    if request.image:
        await known.set_logo(kind, request.image)
    else:
        await known.remove_logo()
    row.logo_etag = sha256(request.image).hexdigest()[:16] if request.image else ""
    _changed(tx, row, "enterprise.logo_changed")
    return convert.enterprise(row)


def _logo_type(data: bytes) -> str:
    image = images.read(data)
    if image is None or image.media_type not in _LOGOS:
        raise LogoInvalid("The logo must be a PNG or a JPEG.", field="image")
    if not image.small:
        most = images.MOST_PIXELS
        raise LogoInvalid(f"The logo may be {most} pixels wide and high at most.", field="image")
    return image.media_type


def _changes(
    wanted: enterprises_pb2.Enterprise, mask: FieldMask, settings: EnterpriseSettings
) -> dict[str, Any]:
    """Answers the new values of the columns. Settings that the mask does not name stay as they are."""
    named = [path.removeprefix(_SETTINGS) for path in mask.paths if path.startswith(_SETTINGS)]
    rest = FieldMask(paths=[path for path in mask.paths if not path.startswith(_SETTINGS)])
    changes = {} if named and not rest.paths else masks.changes(wanted, rest, allowed=_CHANGEABLE)
    if changes.pop("settings", None) is not None or "settings" in rest.paths:
        settings.CopyFrom(wanted.settings)
        changes["settings"] = settings.SerializeToString(deterministic=True)
    elif named:
        fields = [field.name for field in EnterpriseSettings.DESCRIPTOR.fields]
        for name, value in masks.changes(wanted.settings, FieldMask(paths=named), allowed=fields).items():
            setattr(settings, name, value)
        changes["settings"] = settings.SerializeToString(deterministic=True)
    return changes


async def _take_slug(known: Enterprises, slug: str) -> None:
    """Takes the slug, unless it is or was the enterprise's own already."""
    own = await known.slugs()
    if slug in own:
        return
    if len(own) >= _MOST_SLUGS:
        raise SlugsExhausted("The enterprise has had as many slugs as it may.", field="enterprise.slug")
    if not await known.take_slug(slug):
        raise SlugTaken("The slug is taken.", field="enterprise.slug")


def _require_owner(decider: Access) -> None:
    if decider.title < TITLE_OWNER:
        raise AppointmentAboveRight("The enterprise is changed by owners.")


def _check_time_zone(time_zone: str, field: str) -> None:
    if time_zone not in _time_zones():
        raise TimeZoneUnknown("The time zone is none of IANA's names.", field=field)


def _changed(tx: Transaction, row: Enterprise, action: str) -> None:
    row.version += 1
    tx.audit(action, tenant_id=row.tenant_id, target_id=row.tenant_id)
    events.enterprise_updated(tx, row)


async def _add(tx: Transaction, keyring: Keyring, enterprise: Enterprise, member_id: UUID) -> Employee:
    """Adds the rows and the events of an enterprise and its owner, who is on record as their own decider."""
    tx.session.add(enterprise)
    await tx.session.flush()
    owner = Employee(
        tenant_id=enterprise.tenant_id,
        id=tx.clock.new_id(),
        member_id=member_id,
        account_id=tx.clock.new_id(),
        title=TITLE_OWNER,
        sequence=appointments.next_sequence(enterprise),
        create_time=tx.now,
    )
    tx.session.add(owner)
    act = Act("enterprise.created", owner.id, owner.id, title_after=TITLE_OWNER)
    await appointments.record(tx, keyring, enterprise, act)
    events.enterprise_created(tx, enterprise)
    events.employee_hired(tx, owner)
    return owner


@cache
def _time_zones() -> frozenset[str]:
    """Reads the names once; it takes milliseconds."""
    return frozenset(available_timezones())

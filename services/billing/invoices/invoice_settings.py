"""What stands on the invoices of a tenant: kept under its key."""

from __future__ import annotations

from uuid import UUID

from chassis.crypto import Keyring
from chassis.database import Snapshot, Transaction
from services.billing import models
from services.billing.errors import EtagMismatch
from wrtn.billing.v1.invoice_settings_pb2 import InvoiceSettings

DEFAULT = InvoiceSettings(net_days=14)
_DETAILS = "wrtn_invoice_settings.details"


async def get(tx: Snapshot, keyring: Keyring, tenant_id: UUID) -> InvoiceSettings:
    """Answers the settings; the default if they were never set."""
    row = await tx.session.get(models.InvoiceSettings, tenant_id)
    if row is None:
        return DEFAULT
    key = await keyring.key(tx, tenant_id)
    found = InvoiceSettings.FromString(key.decrypt(row.details, _DETAILS, tenant_id))
    found.etag = str(row.version)
    return found


async def put(tx: Transaction, keyring: Keyring, tenant_id: UUID, wanted: InvoiceSettings) -> InvoiceSettings:
    """Sets all of them; raises EtagMismatch."""
    key = await keyring.key(tx, tenant_id)
    row = await tx.session.get(models.InvoiceSettings, tenant_id, with_for_update=True)
    version = row.version if row is not None else 0
    if wanted.etag and wanted.etag != str(version):
        raise EtagMismatch("The settings were changed since: read them again.", field="settings.etag")
    wanted.ClearField("etag")
    details = key.encrypt(wanted.SerializeToString(deterministic=True), _DETAILS, tenant_id)
    if row is None:
        row = models.InvoiceSettings(tenant_id=tenant_id)
        tx.session.add(row)
    row.details, row.version, row.update_time = details, version + 1, tx.now
    tx.audit("invoice_settings.set", tenant_id=tenant_id, target_id=tenant_id)
    await tx.session.flush()
    return await get(tx, keyring, tenant_id)

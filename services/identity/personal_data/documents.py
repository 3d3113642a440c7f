"""What identity hands out to a member about themself: one document for each thing that it holds."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from uuid import UUID

from chassis.crypto import DataKey, Keyring
from chassis.database import Snapshot
from chassis.subjects import Listing, Subject
from chassis.subjects.documents import Record, Shown
from chassis.subjects.rpc import Documents
from services.identity.credentials import keys
from services.identity.factors import passkeys
from services.identity.federation import identities
from services.identity.logins import logins
from services.identity.members import avatars, members

Opened = Callable[[DataKey, Record], Record]
"""Answers the fields of a record that are encrypted, in plain text."""

_EMAILS = """
SELECT id, address, is_primary, verify_time, create_time FROM wrtn_emails
WHERE member_id = %(member)s AND id > %(after)s ORDER BY id LIMIT %(page)s
"""
_LOGINS = """
SELECT id, account_id, methods, device, address, last_use_time, expire_time, end_time, end_reason, create_time
FROM wrtn_logins WHERE member_id = %(member)s AND id > %(after)s ORDER BY id LIMIT %(page)s
"""
_ACCOUNTS = """
SELECT id, tenant_id, kind, code, inherited, create_time FROM wrtn_accounts
WHERE holder_member_id = %(member)s AND id > %(after)s ORDER BY id LIMIT %(page)s
"""
_KEYS = """
SELECT id, account_id, display_name, scopes, ending, create_time, expire_time, last_use_time, revoke_time
FROM wrtn_api_keys WHERE member_id = %(member)s AND id > %(after)s ORDER BY id LIMIT %(page)s
"""
_PASSKEYS = """
SELECT id, display_name, last_use_time, create_time FROM wrtn_passkeys
WHERE member_id = %(member)s AND id > %(after)s ORDER BY id LIMIT %(page)s
"""
_IDENTITIES = """
SELECT id, provider_id, issuer, subject, email, create_time FROM wrtn_federated_identities
WHERE member_id = %(member)s AND id > %(after)s ORDER BY id LIMIT %(page)s
"""
_MAILS = """
SELECT id, state, attempts, send_time, create_time FROM wrtn_mails
WHERE member_id = %(member)s AND id > %(after)s ORDER BY id LIMIT %(page)s
"""
_PROFILE = """
SELECT id, state, locale, time_zone, staff_right, create_time, activate_time, close_time FROM wrtn_members
WHERE id = %(member)s AND id > %(after)s ORDER BY id LIMIT %(page)s
"""
_SUSPENSIONS = """
SELECT id, action, reason, create_time FROM wrtn_suspensions
WHERE member_id = %(member)s AND id > %(after)s ORDER BY id LIMIT %(page)s
"""
_AVATAR = """
SELECT member_id AS id, media_type, image, create_time FROM wrtn_avatars
WHERE member_id = %(member)s AND member_id > %(after)s ORDER BY member_id LIMIT %(page)s
"""
_TRANSFERS = """
SELECT id, tenant_id, account_id, state, holder_member_id, receiver_member_id, decider_member_id,
    create_time, expire_time, end_time
FROM wrtn_account_transfers
WHERE %(member)s IN (holder_member_id, receiver_member_id) AND id > %(after)s ORDER BY id LIMIT %(page)s
"""
_HOLDINGS = """
SELECT account_id AS id, tenant_id, jsonb_agg(jsonb_build_object('start_time', start_time, 'cause', cause,
    'transfer_id', transfer_id) ORDER BY sequence) AS periods
FROM wrtn_account_holdings
WHERE holder_member_id = %(member)s AND account_id > %(after)s
GROUP BY account_id, tenant_id ORDER BY account_id LIMIT %(page)s
"""
_APPOINTMENTS = """
SELECT member_id AS id, jsonb_agg(jsonb_build_object('right_before', right_before, 'right_after', right_after,
    'create_time', create_time) ORDER BY version) AS appointments
FROM wrtn_staff_appointments
WHERE member_id = %(member)s AND member_id > %(after)s GROUP BY member_id ORDER BY member_id LIMIT %(page)s
"""
_DEVICES = """
SELECT member_id AS id, jsonb_agg(jsonb_build_object('create_time', create_time, 'expire_time', expire_time)
    ORDER BY create_time) AS devices
FROM wrtn_known_devices
WHERE member_id = %(member)s AND member_id > %(after)s GROUP BY member_id ORDER BY member_id LIMIT %(page)s
"""
_AUTHENTICATORS = """
SELECT member_id AS id, state, create_time FROM wrtn_totp_factors
WHERE member_id = %(member)s AND member_id > %(after)s ORDER BY member_id LIMIT %(page)s
"""
_PLAIN = {
    "accounts": _ACCOUNTS,
    "account_transfers": _TRANSFERS,
    "account_holdings": _HOLDINGS,
    "staff_appointments": _APPOINTMENTS,
    "known_devices": _DEVICES,
    "authenticator_apps": _AUTHENTICATORS,
    "mails": _MAILS,
    "suspensions": _SUSPENSIONS,
}
"""What is shown as it stands there. No proof by which somebody signs in is ever among it."""


def documents(keyring: Keyring) -> Documents:
    """Answers the listings of a subject."""

    def listings(subject: Subject) -> Iterator[Listing]:
        values = {"member": subject.member_id}

        async def profile(snapshot: Snapshot, record: Record) -> Record:
            member = await members.get(snapshot, subject.member_id)
            found = await members.profile(snapshot, keyring, member, own=True)
            return record | {"display_name": found.display_name, "phone": found.phone}

        yield Listing("profile", subject.own, _PROFILE, values, profile)
        for name, (query, opened) in _SEALED.items():
            shown = _shown(keyring, subject.member_id, opened)
            yield Listing(name, subject.own, query, values, shown)
        for name, query in _PLAIN.items():
            yield Listing(name, subject.own, query, values)

    return listings


def _shown(keyring: Keyring, member_id: UUID, opened: Opened) -> Shown:
    async def shown(snapshot: Snapshot, record: Record) -> Record:
        return record | opened(await keyring.key(snapshot, member_id), record)

    return shown


def _email(key: DataKey, record: Record) -> Record:
    return {"address": members.opened_address(key, record["id"], record["address"])}


def _login(key: DataKey, record: Record) -> Record:
    origin = logins.opened(key, record["id"], record["device"], record["address"])
    return {"device": origin.device, "address": origin.address}


def _api_key(key: DataKey, record: Record) -> Record:
    return {"display_name": keys.name_of(key, record["id"], record["display_name"])}


def _passkey(key: DataKey, record: Record) -> Record:
    return {"display_name": passkeys.name_of(key, record["id"], record["display_name"])}


def _identity(key: DataKey, record: Record) -> Record:
    subject, email = identities.opened(key, record["id"], record["subject"], record["email"])
    return {"subject": subject, "email": email}


def _avatar(key: DataKey, record: Record) -> Record:
    return {"image": b64encode(avatars.opened(key, record["image"])).decode()}


_SEALED: Mapping[str, tuple[str, Opened]] = {
    "email_addresses": (_EMAILS, _email),
    "avatar": (_AVATAR, _avatar),
    "logins": (_LOGINS, _login),
    "api_keys": (_KEYS, _api_key),
    "passkeys": (_PASSKEYS, _passkey),
    "federated_identities": (_IDENTITIES, _identity),
}
"""What lies under the member's key, and how it is opened."""

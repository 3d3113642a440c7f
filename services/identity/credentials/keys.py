"""API keys of members: each acts as its member by one account, for as long as they hold it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from chassis.auth import api_keys
from chassis.crypto import DataKey, Keyring
from chassis.database import Transaction
from services.identity import bearers, events
from services.identity.accounts import accounts
from services.identity.credentials import credentials
from services.identity.errors import ApiKeysTooMany
from services.identity.models import Account, ApiKey, CredentialKind
from services.identity.store import ApiKeys, admit_member

MOST = 100
"""How many good keys a member may have."""
_NAME = "api_key"
"""The context that binds a ciphertext to its column."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A key to be made."""

    member_id: UUID
    account: Account
    """As it was seen, held by the member."""
    display_name: str
    scopes: Sequence[str]
    expire_time: datetime | None


async def create(tx: Transaction, keyring: Keyring, wanted: Wanted) -> tuple[ApiKey, str]:
    """Adds a key, and answers it with its text, which is kept as a hash alone.

    Raises AccountNotFound if the account changed hands just now, ExpiryPast and ApiKeysTooMany. The account
    is locked, so that a transfer either sees the key and ends it, or comes before and is seen.
    """
    credentials.check_expiry(wanted.expire_time, tx.now)
    account = await accounts.locked(tx, wanted.account)
    if await ApiKeys(tx).count_good(wanted.member_id, tx.now) >= MOST:
        raise ApiKeysTooMany(f"A member has {MOST} good API keys at most; revoke one that is not used.")
    text = api_keys.of_member(wanted.member_id, tx.clock)
    key = ApiKey(
        member_id=wanted.member_id,
        id=tx.clock.new_id(),
        tenant_id=account.tenant_id,
        account_id=account.id,
        scopes=list(wanted.scopes),
        key_hash=bearers.digest(text),
        ending=text[-credentials.ENDING :],
        version=1,
        create_time=tx.now,
        expire_time=wanted.expire_time,
    )
    data_key = await keyring.key(tx, wanted.member_id)
    key.display_name = data_key.encrypt(wanted.display_name.encode(), wanted.member_id, key.id, _NAME)
    tx.session.add(key)
    await tx.session.flush()
    tx.audit(
        "api_key.created",
        tenant_id=key.tenant_id,
        target_id=key.id,
        account=key.account_id,
        scopes=" ".join(key.scopes),
    )
    return key, text


async def revoke(tx: Transaction, member_id: UUID, key_id: UUID) -> ApiKey:
    """Revokes a key of the scope's member, once; raises ApiKeyNotFound if they have none such."""
    for key in await ApiKeys(tx).revoke(member_id, tx.now, key_id=key_id):
        _tell_revoked(tx, key)
        return key
    found = await ApiKeys(tx).get(member_id, key_id)
    if found is None:
        raise credentials.not_found(CredentialKind.API_KEY)
    return found


async def end_of_account(tx: Transaction, member_id: UUID, account_id: UUID) -> None:
    """Ends the keys that a member has for an account which goes to another holder, in any scope.

    That the holder is judged at each use does not suffice: the account may come back one day, and the keys
    must not.
    """
    before = tx.scope.member_id
    await admit_member(tx, member_id)
    for key in await ApiKeys(tx).revoke(member_id, tx.now, account_id=account_id):
        _tell_revoked(tx, key)
    await admit_member(tx, before)


def name_of(key: DataKey, key_id: UUID, sealed: bytes) -> str:
    """Decrypts what an API key of the data key's owner is called."""
    return key.decrypt(sealed, key.owner_id, key_id, _NAME).decode()


def _tell_revoked(tx: Transaction, key: ApiKey) -> None:
    events.api_key_revoked(tx, key.member_id, key.id, key.version)
    tx.audit("api_key.revoked", tenant_id=key.tenant_id, target_id=key.id, account=key.account_id)

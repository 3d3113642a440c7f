"""Writing to people: to a member, or to an address that may be anybody's.

A mail stands under the key of its reader: of the member, or of who has proven the address. One to an
address that is nobody's stands under the platform's key, and is emptied when it has left.
"""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from chassis.crypto import Keyring
from chassis.database import Transaction
from services.identity.errors import MemberHasNoAddress
from services.identity.mail.post import Post
from services.identity.members import addresses, members
from services.identity.models import PLATFORM
from services.identity.store import Members, admit_member


async def to_member(
    tx: Transaction, keyring: Keyring, post: Post, member_id: UUID, template: str, values: Mapping[str, str]
) -> UUID:
    """Queues a mail to the scope's member, at the primary address; answers its id.

    Raises MemberNotFound, MemberHasNoAddress, MailTemplateUnknown and MailValueMissing.
    """
    member = await members.get(tx, member_id)
    primary = await Members(tx).primary(member_id)
    if primary is None:
        raise MemberHasNoAddress("None of the member's addresses is verified.", field="member_id")
    letter = post.letter(template, member.locale, values)
    key = await keyring.key(tx, member_id)
    return post.queue(tx, key, members.address_of(key, primary), letter)


async def to_address(
    tx: Transaction,
    keyring: Keyring,
    post: Post,
    text: str,
    template: str,
    values: Mapping[str, str],
    locale: str,
) -> UUID:
    """Queues a mail to an address, in its owner's locale if somebody has proven it; answers its id.

    The transaction's scope is its owner's from then on. Raises AddressInvalid, MailTemplateUnknown and
    MailValueMissing.
    """
    address = addresses.parsed(text, field="address")
    owner = await Members(tx).owner_of(keyring.lookup(addresses.PURPOSE, addresses.same(address)))
    await admit_member(tx, owner or PLATFORM)
    if owner is not None:
        locale = (await members.get(tx, owner)).locale
    letter = post.letter(template, locale, values)
    return post.queue(tx, await keyring.key(tx, owner or PLATFORM), address, letter)

"""wrtn.identity.v1 EmailService."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import grpc
from google.protobuf.empty_pb2 import Empty

from chassis import call
from chassis.crypto import Keyring
from chassis.database import Database, Scope, Transaction
from chassis.idempotency import once
from chassis.paging import Page, time_and_id
from services.identity import convert
from services.identity.mail.post import Post
from services.identity.members import addresses, emails
from services.identity.members.emails import Shown
from services.identity.rpc.callers import oneself
from wrtn.identity.v1 import emails_pb2, members_pb2
from wrtn.identity.v1.emails_pb2_grpc import EmailServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class EmailRpc(EmailServiceServicer):
    """wrtn.identity.v1 EmailService. Everybody reaches their own addresses alone."""

    def __init__(self, db: Database, keyring: Keyring, post: Post) -> None:
        self._db = db
        self._keyring = keyring
        self._post = post

    async def CreateEmail(
        self, request: emails_pb2.CreateEmailRequest, context: Context
    ) -> members_pb2.Email:
        """The sender wakes once it is committed."""
        member_id = oneself(call.current().caller, request.member_id)
        address = addresses.parsed(request.address, field="address")

        async def work(tx: Transaction) -> members_pb2.Email:
            return convert.email(await emails.add(tx, self._keyring, self._post, member_id, address))

        return await once(self._db, Scope.of(member_id=member_id), request, work)

    async def ListEmails(
        self, request: emails_pb2.ListEmailsRequest, context: Context
    ) -> emails_pb2.ListEmailsResponse:
        """The caller's own."""
        member_id = oneself(call.current().caller, request.member_id)
        page = Page.of(request)
        async with self._db.snapshot(Scope.of(member_id=member_id)) as snapshot:
            rows = await emails.page(snapshot, self._keyring, member_id, page.after(_place), page.size + 1)
        found, token = page.cut(rows, key=_key)
        return emails_pb2.ListEmailsResponse(emails=map(convert.email, found), next_page_token=token)

    async def ResendVerification(
        self, request: emails_pb2.ResendVerificationRequest, context: Context
    ) -> members_pb2.Email:
        """The sender wakes once it is committed."""
        member_id = oneself(call.current().caller, request.member_id)
        email_id = UUID(request.email_id)

        async def work(tx: Transaction) -> members_pb2.Email:
            return convert.email(await emails.resend(tx, self._keyring, self._post, member_id, email_id))

        return await once(self._db, Scope.of(member_id=member_id), request, work)

    async def MakeEmailPrimary(
        self, request: emails_pb2.MakeEmailPrimaryRequest, context: Context
    ) -> members_pb2.Email:
        """Repeating it changes nothing."""
        member_id = oneself(call.current().caller, request.member_id)
        email_id = UUID(request.email_id)

        async def work(tx: Transaction) -> members_pb2.Email:
            shown = await emails.make_primary(tx, self._keyring, self._post, member_id, email_id)
            return convert.email(shown)

        return await once(self._db, Scope.of(member_id=member_id), request, work)

    async def DeleteEmail(self, request: emails_pb2.DeleteEmailRequest, context: Context) -> Empty:
        """The address is free once this is committed."""
        member_id = oneself(call.current().caller, request.member_id)

        async def work(tx: Transaction) -> Empty:
            await emails.remove(tx, member_id, UUID(request.email_id))
            return Empty()

        return await once(self._db, Scope.of(member_id=member_id), request, work)


def _key(shown: Shown) -> tuple[str, str, str]:
    row = shown.row
    return "0" if row.is_primary else "1", row.create_time.isoformat(), str(row.id)


def _place(rank: str, create_time: str, email_id: str) -> tuple[int, datetime, UUID]:
    """Reads the key of the last address of the page before."""
    return int(rank), *time_and_id(create_time, email_id)

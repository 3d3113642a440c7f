"""wrtn.identity.v1 MailService."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import grpc

from chassis.crypto import Keyring
from chassis.database import Database, Scope, Transaction
from chassis.idempotency import once
from services.identity.mail import mails
from services.identity.mail.letters import LOCALE
from services.identity.mail.post import Post
from wrtn.identity.v1.mails_pb2 import SendMailRequest, SendMailResponse
from wrtn.identity.v1.mails_pb2_grpc import MailServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class MailRpc(MailServiceServicer):
    """wrtn.identity.v1 MailService. The access rule has proven a peer."""

    def __init__(self, db: Database, keyring: Keyring, post: Post) -> None:
        self._db = db
        self._keyring = keyring
        self._post = post

    async def SendMail(self, request: SendMailRequest, context: Context) -> SendMailResponse:
        """Queues the mail; the sender wakes once it is committed."""
        member_id = UUID(request.member_id) if request.WhichOneof("recipient") == "member_id" else None
        template, values = request.template, dict(request.values)

        async def work(tx: Transaction) -> SendMailResponse:
            if member_id is not None:
                sent = mails.to_member(tx, self._keyring, self._post, member_id, template, values)
            else:
                locale = request.locale or LOCALE
                sent = mails.to_address(
                    tx, self._keyring, self._post, request.address, template, values, locale
                )
            return SendMailResponse(mail_id=str(await sent))

        return await once(self._db, Scope.of(member_id=member_id), request, work)

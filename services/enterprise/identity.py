"""What is asked of identity. Never inside a transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import grpc
import structlog
from google.rpc.error_details_pb2 import ErrorInfo
from grpc_status import rpc_status

from chassis.access.authorize import NotAdmitted
from chassis.call import Caller
from chassis.errors import DomainError
from chassis.rpc.client import Peers
from services.enterprise.errors import ActingEnded, MemberNotActive, MemberNotFound
from services.enterprise.models import HandoverState
from wrtn.identity.v1.accounts_pb2 import OpenAccountRequest
from wrtn.identity.v1.accounts_pb2_grpc import AccountServiceStub
from wrtn.identity.v1.addresses_pb2 import FindOwnersRequest, ListVerifiedAddressesRequest
from wrtn.identity.v1.addresses_pb2_grpc import AddressServiceStub
from wrtn.identity.v1.mails_pb2 import SendMailRequest
from wrtn.identity.v1.mails_pb2_grpc import MailServiceStub
from wrtn.identity.v1.principals_pb2 import Principal, ResolvePrincipalRequest
from wrtn.identity.v1.principals_pb2_grpc import PrincipalServiceStub
from wrtn.identity.v1.provisioning_pb2 import ProvisionMemberRequest
from wrtn.identity.v1.provisioning_pb2_grpc import ProvisioningServiceStub
from wrtn.identity.v1.transfers_pb2 import TransferAccountRequest
from wrtn.identity.v1.transfers_pb2_grpc import TransferServiceStub

_OPEN_SECONDS = 2.0
"""How long an answer waits for the account to be open. What was committed is told in any case."""

_TRANSFER_SECONDS = 2.0
_NEVER = frozenset({"MEMBER_NOT_FOUND", "ACCOUNT_HELD_BY_ANOTHER", "TRANSFER_EXISTS"})
"""The reasons for which asking again is of no use. An account that is not there yet is about to be opened."""

_SEND_SECONDS = 5.0
_UNDELIVERABLE = frozenset({"MEMBER_NOT_FOUND", "MEMBER_HAS_NO_ADDRESS", "EMAIL_INVALID"})
"""Why a letter reaches nobody, now or later."""

_log = structlog.get_logger("services.enterprise.identity")


@dataclass(frozen=True, slots=True)
class Transfer:
    """One account passing from one who has left to their successor; by its id a repetition is known."""

    id: UUID
    enterprise_id: UUID
    account_id: UUID
    holder_member_id: UUID
    receiver_member_id: UUID
    decider_member_id: UUID


class Identity:
    """The questions to identity that an employment or an appointment needs answered freshly."""

    def __init__(self, peers: Peers) -> None:
        self._principals = peers.stub(PrincipalServiceStub, "identity")
        self._addresses = peers.stub(AddressServiceStub, "identity")
        self._accounts = peers.stub(AccountServiceStub, "identity")
        self._provisioning = peers.stub(ProvisioningServiceStub, "identity")
        self._mails = peers.stub(MailServiceStub, "identity")
        self._transfers = peers.stub(TransferServiceStub, "identity")

    async def require_active(self, member_id: str) -> None:
        """Raises MemberNotFound unless the member is known and active; AioRpcError if identity is away."""
        member = ResolvePrincipalRequest.MemberLogin(member_id=member_id)
        if not (await self._resolve(member)).active:
            raise MemberNotFound("The member does not exist.", field="member_id")

    async def require_acting(self, caller: Caller, *, staff: int = 0) -> None:
        """Raises ActingEnded unless the caller's member, login and account are all good at this moment.

        With `staff`, raises NotAdmitted if they do not hold that right any more.

        The interceptor let the caller in by an answer that may be seconds old: too old to appoint by.
        """
        member = ResolvePrincipalRequest.MemberLogin(
            member_id=str(caller.member_id), login_id=str(caller.login_id), account_id=str(caller.account_id)
        )
        found = await self._resolve(member)
        if not found.active or found.tenant_id != str(caller.tenant_id):
            raise ActingEnded("The login has ended.")
        if found.staff_right < staff:
            raise NotAdmitted("The caller may not call this method.")

    async def addresses(self, member_id: UUID) -> list[str]:
        """Answers the verified addresses of a member at this moment; none if they are not active."""
        request = ListVerifiedAddressesRequest(member_id=str(member_id))
        return list((await self._addresses.ListVerifiedAddresses(request)).addresses)

    async def provision(self, enterprise_id: UUID, address: str, name: str) -> UUID:
        """Answers the member who has the address, made if there is none; raises MemberNotActive."""
        request = ProvisionMemberRequest(enterprise_id=str(enterprise_id), email=address, display_name=name)
        try:
            return UUID((await self._provisioning.ProvisionMember(request)).member_id)
        except grpc.aio.AioRpcError as error:
            if _reason(error) == MemberNotActive.reason:
                raise MemberNotActive("The member who has this address is not active.") from error
            raise

    async def owners(self, addresses: Sequence[str]) -> list[UUID | None]:
        """Answers for each of at most 200 addresses the member who has verified it."""
        found = await self._addresses.FindOwners(FindOwnersRequest(addresses=addresses))
        return [UUID(each) if each else None for each in found.member_ids]

    async def open_account(self, *, account_id: str, enterprise_id: str, member_id: UUID | str) -> None:
        """Asks for the employee's account, so that it is usable when the caller has our answer.

        The employment is committed: a failure is only logged, since identity opens the account by the event
        EmployeeHired as well.
        """
        request = OpenAccountRequest(
            account_id=account_id, enterprise_id=enterprise_id, member_id=str(member_id)
        )
        try:
            await self._accounts.OpenAccount(request, timeout=_OPEN_SECONDS)
        except (grpc.aio.AioRpcError, DomainError) as error:
            code = error.code() if isinstance(error, grpc.aio.AioRpcError) else error.code
            _log.warning("account_not_open_yet", account_id=account_id, code=code.name)

    async def transfer_account(self, transfer: Transfer) -> HandoverState | None:
        """Asks for the transfer; answers how it ended, or None if that is not known yet: ask again."""
        request = TransferAccountRequest(
            transfer_id=str(transfer.id),
            enterprise_id=str(transfer.enterprise_id),
            account_id=str(transfer.account_id),
            holder_member_id=str(transfer.holder_member_id),
            receiver_member_id=str(transfer.receiver_member_id),
            decider_member_id=str(transfer.decider_member_id),
        )
        try:
            await self._transfers.TransferAccount(request, timeout=_TRANSFER_SECONDS)
        except (grpc.aio.AioRpcError, DomainError) as error:
            reason = error.reason if isinstance(error, DomainError) else _reason(error)
            _log.warning("account_not_handed_over", transfer_id=request.transfer_id, reason=reason)
            return HandoverState.REFUSED if reason in _NEVER else None
        return HandoverState.DONE

    async def send(self, request: SendMailRequest) -> bool:
        """Gives a letter to identity; says whether it need not be given again, taken or never to be."""
        try:
            await self._mails.SendMail(request, timeout=_SEND_SECONDS)
        except (grpc.aio.AioRpcError, DomainError) as error:
            reason = error.reason if isinstance(error, DomainError) else _reason(error)
            _log.warning("letter_not_taken", letter_id=request.request_id, reason=reason)
            return reason in _UNDELIVERABLE
        return True

    async def _resolve(self, member: ResolvePrincipalRequest.MemberLogin) -> Principal:
        return await self._principals.ResolvePrincipal(ResolvePrincipalRequest(member=member))


def _reason(error: grpc.aio.AioRpcError) -> str:
    """Answers the reason that the details of the failure name, else its code."""
    status = rpc_status.from_call(error)
    for detail in status.details if status is not None else ():
        info = ErrorInfo()
        if detail.Unpack(info):
            return str(info.reason)
    return error.code().name

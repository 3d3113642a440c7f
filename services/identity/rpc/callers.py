"""What the access rules have proven of a caller."""

from __future__ import annotations

from uuid import UUID

from google.protobuf import json_format
from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct

from chassis import call
from chassis.errors import DomainError
from services.identity.factors.passkeys import Json
from services.identity.members import members
from services.identity.sign_in.proofs import Given
from wrtn.identity.v1 import second_factors_pb2


def oneself(caller: call.Caller, named: str) -> UUID:
    """Answers the caller's id if the request names it, or "me"; raises MemberNotFound for anybody else."""
    if caller.member_id is None or (named != "me" and UUID(named) != caller.member_id):
        raise members.not_found()
    return caller.member_id


def member_of(caller: call.Caller) -> UUID:
    """Answers the member, signed in or by a key of theirs, whom the access rule has proven."""
    if caller.member_id is None:
        raise TypeError("the access rule of this method admits members alone")
    return caller.member_id


def signed_in(caller: call.Caller) -> tuple[UUID, UUID]:
    """Answers member and login of a caller whom an interactive rule has proven to be a member."""
    if caller.member_id is None or caller.login_id is None:
        raise TypeError("the access rule of this method admits members alone")
    return caller.member_id, caller.login_id


def given(proof: second_factors_pb2.Proof) -> Given:
    """Answers the proof of a request, if it has one."""
    return Given(proof.password, proof.totp_code, proof.recovery_code)


def credential_of(value: Struct, refusal: DomainError) -> Json:
    """Answers what an authenticator said; raises the refusal for numbers that JSON does not have."""
    try:
        found: Json = MessageToDict(value)
    except (json_format.Error, ValueError) as error:
        raise refusal from error
    return found

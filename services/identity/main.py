"""The identity service: `python -m services.identity.main`, with its settings in WRTN_* variables."""

from __future__ import annotations

from datetime import timedelta

from dns.asyncresolver import Resolver

from chassis import settings
from chassis.blobs import Blobs
from chassis.jobs import Job
from chassis.operations import Operations
from chassis.operations.rpc import OperationRpc
from chassis.outbound import Outbound
from chassis.service import Parts, Runtime, run
from services.identity import exports, principals, subjects
from services.identity.clearing import Clearing
from services.identity.consumers import ENTERPRISES, Employment
from services.identity.domains import Domains
from services.identity.erasures import Erasures
from services.identity.exports import Exports
from services.identity.federation import Federation
from services.identity.guesses import Guessing
from services.identity.holders import Holders
from services.identity.oidc import providers
from services.identity.oidc.client import Client
from services.identity.passwords import Passwords
from services.identity.post import Post
from services.identity.proofs import Proofs
from services.identity.proving import PasswordCheck
from services.identity.purge import Purge
from services.identity.reach import Reach
from services.identity.rpc.accounts import AccountRpc
from services.identity.rpc.addresses import AddressRpc
from services.identity.rpc.api_keys import ApiKeyRpc
from services.identity.rpc.auth import AuthRpc
from services.identity.rpc.avatars import AvatarRpc
from services.identity.rpc.break_glass import BreakGlassRpc
from services.identity.rpc.credentials import CredentialRpc
from services.identity.rpc.emails import EmailRpc
from services.identity.rpc.erasures import ErasureRpc
from services.identity.rpc.exports import ExportRpc
from services.identity.rpc.federation import FederationRpc
from services.identity.rpc.logins import LoginRpc
from services.identity.rpc.mails import MailRpc
from services.identity.rpc.members import MemberRpc
from services.identity.rpc.passkeys import PasskeyRpc
from services.identity.rpc.passwords import PasswordRpc
from services.identity.rpc.policies import PolicyRpc
from services.identity.rpc.principals import PrincipalRpc
from services.identity.rpc.provisioning import ProvisioningRpc
from services.identity.rpc.second_factors import SecondFactorRpc
from services.identity.rpc.single_sign_on import SingleSignOnRpc
from services.identity.rpc.staff import StaffRpc
from services.identity.rpc.suspensions import SuspensionRpc
from services.identity.rpc.transfers import TransferRpc
from services.identity.sender import Sender
from services.identity.settings import IdentitySettings
from services.identity.signing import Signer
from services.identity.signing_in import SignIns
from services.identity.single_sign_on import Connections
from services.identity.uses import LastUses
from wrtn.identity.v1.accounts_pb2_grpc import add_AccountServiceServicer_to_server
from wrtn.identity.v1.addresses_pb2_grpc import add_AddressServiceServicer_to_server
from wrtn.identity.v1.api_keys_pb2_grpc import add_ApiKeyServiceServicer_to_server
from wrtn.identity.v1.auth_pb2_grpc import add_AuthServiceServicer_to_server
from wrtn.identity.v1.avatars_pb2_grpc import add_AvatarServiceServicer_to_server
from wrtn.identity.v1.break_glass_pb2_grpc import add_BreakGlassServiceServicer_to_server
from wrtn.identity.v1.credentials_pb2_grpc import add_CredentialServiceServicer_to_server
from wrtn.identity.v1.emails_pb2_grpc import add_EmailServiceServicer_to_server
from wrtn.identity.v1.erasures_pb2_grpc import add_ErasureServiceServicer_to_server
from wrtn.identity.v1.exports_pb2_grpc import add_ExportServiceServicer_to_server
from wrtn.identity.v1.federation_pb2_grpc import add_FederationServiceServicer_to_server
from wrtn.identity.v1.logins_pb2_grpc import add_LoginServiceServicer_to_server
from wrtn.identity.v1.mails_pb2_grpc import add_MailServiceServicer_to_server
from wrtn.identity.v1.members_pb2_grpc import add_MemberServiceServicer_to_server
from wrtn.identity.v1.operations_pb2_grpc import add_OperationServiceServicer_to_server
from wrtn.identity.v1.passkeys_pb2_grpc import add_PasskeyServiceServicer_to_server
from wrtn.identity.v1.passwords_pb2_grpc import add_PasswordServiceServicer_to_server
from wrtn.identity.v1.policies_pb2_grpc import add_PolicyServiceServicer_to_server
from wrtn.identity.v1.principals_pb2 import Principal, ResolvePrincipalRequest
from wrtn.identity.v1.principals_pb2_grpc import add_PrincipalServiceServicer_to_server
from wrtn.identity.v1.provisioning_pb2_grpc import add_ProvisioningServiceServicer_to_server
from wrtn.identity.v1.second_factors_pb2_grpc import add_SecondFactorServiceServicer_to_server
from wrtn.identity.v1.single_sign_on_pb2_grpc import add_SingleSignOnServiceServicer_to_server
from wrtn.identity.v1.staff_pb2_grpc import add_StaffServiceServicer_to_server
from wrtn.identity.v1.suspensions_pb2_grpc import add_SuspensionServiceServicer_to_server
from wrtn.identity.v1.transfers_pb2_grpc import add_TransferServiceServicer_to_server
from wrtn.subjects.v1.subjects_pb2_grpc import add_DataSubjectServiceServicer_to_server

FLOWS_EVERY = timedelta(hours=1)
"""How often sign-ins at other providers that nobody completed are deleted."""


def wire(runtime: Runtime[IdentitySettings]) -> Parts:
    """Makes the service of its parts. It resolves principals and keys itself, not by a call to itself."""
    chosen, db, keyring = runtime.settings, runtime.db, runtime.keyring
    cache, passwords = runtime.principals, Passwords()
    post = Post(sender=chosen.mail_from, public_url=chosen.public_url)
    signer = Signer(db, keyring, runtime.clock)
    reach = Reach(db, runtime.access)
    uses = LastUses(db)
    party = chosen.passkey_party()
    guessing = Guessing(db, keyring)
    sign_ins = SignIns(db, keyring, runtime.clock, passwords, signer, guessing, party)
    check = PasswordCheck(db, passwords, guessing)
    proofs = Proofs(db, keyring, passwords, guessing)

    federation, connections = federated(runtime, sign_ins, post)
    blobs, own = Blobs(chosen.blob_url, runtime.service), subjects.rpc(runtime)
    holders = Holders(runtime, own)
    gathering = Exports(runtime, blobs, holders, post)
    operations = Operations(runtime, [gathering.kind(), Erasures(runtime, blobs, holders, reach).kind()])

    async def purge_exports() -> None:
        await exports.purge(db, blobs)
        await exports.sweep(db, blobs)

    async def principal_of(request: ResolvePrincipalRequest) -> Principal:
        return await principals.resolve(db, uses, request)

    return Parts(
        servicers=[
            (
                add_MemberServiceServicer_to_server,
                MemberRpc(runtime.clock, db, keyring, passwords, post, check, proofs, cache),
            ),
            (add_AuthServiceServicer_to_server, AuthRpc(db, sign_ins, signer, runtime.principals, uses)),
            (add_PolicyServiceServicer_to_server, PolicyRpc(db, runtime.principals)),
            (add_PasskeyServiceServicer_to_server, PasskeyRpc(db, keyring, post, proofs, party)),
            (
                add_SecondFactorServiceServicer_to_server,
                SecondFactorRpc(db, keyring, post, proofs, guessing),
            ),
            (add_FederationServiceServicer_to_server, FederationRpc(db, keyring, post, federation, proofs)),
            (add_SingleSignOnServiceServicer_to_server, SingleSignOnRpc(db, keyring, connections)),
            (add_LoginServiceServicer_to_server, LoginRpc(db, keyring, runtime.principals)),
            (add_AddressServiceServicer_to_server, AddressRpc(db, keyring)),
            (
                add_ProvisioningServiceServicer_to_server,
                ProvisioningRpc(runtime.clock, db, keyring),
            ),
            (add_AccountServiceServicer_to_server, AccountRpc(db, keyring, reach)),
            (
                add_TransferServiceServicer_to_server,
                TransferRpc(runtime.clock, db, keyring, post, reach, runtime.principals),
            ),
            (add_AvatarServiceServicer_to_server, AvatarRpc(db, keyring)),
            (add_ApiKeyServiceServicer_to_server, ApiKeyRpc(db, keyring, runtime.principals)),
            (add_CredentialServiceServicer_to_server, CredentialRpc(db, runtime.principals)),
            (
                add_PasswordServiceServicer_to_server,
                PasswordRpc(db, keyring, passwords, check, post, cache),
            ),
            (add_EmailServiceServicer_to_server, EmailRpc(db, keyring, post)),
            (add_MailServiceServicer_to_server, MailRpc(db, keyring, post)),
            (add_DataSubjectServiceServicer_to_server, own),
            (add_ErasureServiceServicer_to_server, ErasureRpc(db, keyring, post, proofs, reach, operations)),
            (add_ExportServiceServicer_to_server, ExportRpc(db, keyring, blobs, operations)),
            (add_OperationServiceServicer_to_server, OperationRpc(runtime, operations)),
            (add_SuspensionServiceServicer_to_server, SuspensionRpc(db, keyring, post, cache)),
            (add_PrincipalServiceServicer_to_server, PrincipalRpc(db, uses)),
            (add_StaffServiceServicer_to_server, StaffRpc(db, keyring)),
            (add_BreakGlassServiceServicer_to_server, BreakGlassRpc(db, keyring, post)),
        ],
        consumers=[Employment(keyring).consumer(), ENTERPRISES],
        jobs=[
            Purge(db, runtime.worker, runtime.clock).job(),
            Clearing(db, runtime.worker, keyring).job(),
            Job("federated-flows", FLOWS_EVERY, federation.purge),
            Job("purge-exports", timedelta(hours=1), purge_exports),
        ],
        background=[passwords, uses, operations, Sender(db, keyring, post, chosen.mail_server())],
        principals_source=principal_of,
        jwks_source=signer.jwks,
    )


def federated(
    runtime: Runtime[IdentitySettings], sign_ins: SignIns, post: Post
) -> tuple[Federation, Connections]:
    """Makes what signs in by other providers. Only the providers of enterprises are asked through a guard."""
    chosen, db, keyring = runtime.settings, runtime.db, runtime.keyring
    resolver = Resolver()
    guarded = Outbound(resolver, inside=chosen.outbound_inside)
    client = Client(Outbound(resolver, inside=True), guarded, runtime.clock)
    connections = Connections(db, keyring, Domains(runtime.peers), client, guarded)
    configured = providers.read(chosen.oidc_providers_file, chosen.public_url)
    federation = Federation(
        db, keyring, runtime.clock, configured, connections, client, sign_ins, runtime.access, post
    )
    return federation, connections


if __name__ == "__main__":
    run("identity", settings.load(IdentitySettings), wire)

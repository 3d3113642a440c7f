"""Members, their addresses and passwords, and all mail."""

from __future__ import annotations

from chassis.runtime import Parts
from services.identity.mail.sender import Sender
from services.identity.personal_data.purge import Purge
from services.identity.rpc.addresses import AddressRpc
from services.identity.rpc.avatars import AvatarRpc
from services.identity.rpc.emails import EmailRpc
from services.identity.rpc.mails import MailRpc
from services.identity.rpc.members import MemberRpc
from services.identity.rpc.passwords import PasswordRpc
from services.identity.rpc.provisioning import ProvisioningRpc
from services.identity.wiring.core import Core
from wrtn.identity.v1.addresses_pb2_grpc import add_AddressServiceServicer_to_server
from wrtn.identity.v1.avatars_pb2_grpc import add_AvatarServiceServicer_to_server
from wrtn.identity.v1.emails_pb2_grpc import add_EmailServiceServicer_to_server
from wrtn.identity.v1.mails_pb2_grpc import add_MailServiceServicer_to_server
from wrtn.identity.v1.members_pb2_grpc import add_MemberServiceServicer_to_server
from wrtn.identity.v1.passwords_pb2_grpc import add_PasswordServiceServicer_to_server
from wrtn.identity.v1.provisioning_pb2_grpc import add_ProvisioningServiceServicer_to_server


def parts(core: Core) -> Parts:
    """Makes them."""
    runtime, db, keyring, post = core.runtime, core.db, core.keyring, core.post
    passwords, check, cache = core.passwords, core.check, core.cache
    members = MemberRpc(runtime.clock, db, keyring, passwords, post, check, core.proofs, cache)
    provisioning = ProvisioningRpc(runtime.clock, db, keyring)
    resets = PasswordRpc(db, keyring, passwords, check, post, cache)
    return Parts(
        servicers=[
            (add_MemberServiceServicer_to_server, members),
            (add_EmailServiceServicer_to_server, EmailRpc(db, keyring, post)),
            (add_AddressServiceServicer_to_server, AddressRpc(db, keyring)),
            (add_PasswordServiceServicer_to_server, resets),
            (add_AvatarServiceServicer_to_server, AvatarRpc(db, keyring)),
            (add_MailServiceServicer_to_server, MailRpc(db, keyring, post)),
            (add_ProvisioningServiceServicer_to_server, provisioning),
        ],
        jobs=[Purge(db, runtime.worker, keyring, runtime.clock).job()],
        background=[passwords, Sender(db, keyring, post, core.settings.mail_server())],
    )

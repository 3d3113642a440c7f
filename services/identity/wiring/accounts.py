"""Accounts, who holds them, and the keys and credentials that act besides people."""

from __future__ import annotations

from chassis.runtime import Parts
from services.identity.consumers import ENTERPRISES, Employment
from services.identity.rpc.accounts import AccountRpc
from services.identity.rpc.api_keys import ApiKeyRpc
from services.identity.rpc.credentials import CredentialRpc
from services.identity.rpc.principals import PrincipalRpc
from services.identity.rpc.transfers import TransferRpc
from services.identity.wiring.core import Core
from wrtn.identity.v1.accounts_pb2_grpc import add_AccountServiceServicer_to_server
from wrtn.identity.v1.api_keys_pb2_grpc import add_ApiKeyServiceServicer_to_server
from wrtn.identity.v1.credentials_pb2_grpc import add_CredentialServiceServicer_to_server
from wrtn.identity.v1.principals_pb2_grpc import add_PrincipalServiceServicer_to_server
from wrtn.identity.v1.transfers_pb2_grpc import add_TransferServiceServicer_to_server


def parts(core: Core) -> Parts:
    """Makes them."""
    db, keyring, reach, cache = core.db, core.keyring, core.reach, core.cache
    transfers = TransferRpc(core.runtime.clock, db, keyring, core.post, reach, cache)
    return Parts(
        servicers=[
            (add_AccountServiceServicer_to_server, AccountRpc(db, keyring, reach)),
            (add_TransferServiceServicer_to_server, transfers),
            (add_ApiKeyServiceServicer_to_server, ApiKeyRpc(db, keyring, cache)),
            (add_CredentialServiceServicer_to_server, CredentialRpc(db, cache)),
            (add_PrincipalServiceServicer_to_server, PrincipalRpc(core.resolver)),
        ],
        consumers=[Employment(keyring).consumer(), ENTERPRISES],
        background=[core.uses],
    )

"""The ways to sign in, and what an enterprise asks of them."""

from __future__ import annotations

from datetime import timedelta

from dns.asyncresolver import Resolver

from chassis.jobs import Job
from chassis.outbound import Outbound
from chassis.runtime import Parts
from services.identity.federation.domains import Domains
from services.identity.federation.federation import Federation
from services.identity.federation.oidc import providers
from services.identity.federation.oidc.client import Client
from services.identity.federation.single_sign_on import Connections
from services.identity.rpc.auth import AuthRpc
from services.identity.rpc.federation import FederationRpc
from services.identity.rpc.logins import LoginRpc
from services.identity.rpc.passkeys import PasskeyRpc
from services.identity.rpc.policies import PolicyRpc
from services.identity.rpc.second_factors import SecondFactorRpc
from services.identity.rpc.single_sign_on import SingleSignOnRpc
from services.identity.wiring.core import Core
from wrtn.identity.v1.auth_pb2_grpc import add_AuthServiceServicer_to_server
from wrtn.identity.v1.federation_pb2_grpc import add_FederationServiceServicer_to_server
from wrtn.identity.v1.logins_pb2_grpc import add_LoginServiceServicer_to_server
from wrtn.identity.v1.passkeys_pb2_grpc import add_PasskeyServiceServicer_to_server
from wrtn.identity.v1.policies_pb2_grpc import add_PolicyServiceServicer_to_server
from wrtn.identity.v1.second_factors_pb2_grpc import add_SecondFactorServiceServicer_to_server
from wrtn.identity.v1.single_sign_on_pb2_grpc import add_SingleSignOnServiceServicer_to_server

FLOWS_EVERY = timedelta(hours=1)
"""How often sign-ins at other providers that nobody completed are deleted."""


def parts(core: Core) -> Parts:
    """Makes them."""
    db, keyring, post, proofs = core.db, core.keyring, core.post, core.proofs
    federation, connections = _federated(core)
    factors = SecondFactorRpc(db, keyring, post, proofs, core.guessing)
    identities = FederationRpc(db, keyring, post, federation, proofs)
    return Parts(
        servicers=[
            (
                add_AuthServiceServicer_to_server,
                AuthRpc(db, core.sign_ins, core.signer, core.cache, core.uses, core.standings),
            ),
            (add_LoginServiceServicer_to_server, LoginRpc(db, keyring, core.cache)),
            (add_SecondFactorServiceServicer_to_server, factors),
            (add_PasskeyServiceServicer_to_server, PasskeyRpc(db, keyring, post, proofs, core.party)),
            (add_FederationServiceServicer_to_server, identities),
            (add_SingleSignOnServiceServicer_to_server, SingleSignOnRpc(db, keyring, connections)),
            (add_PolicyServiceServicer_to_server, PolicyRpc(db, core.cache)),
        ],
        jobs=[Job("federated-flows", FLOWS_EVERY, federation.purge)],
    )


def _federated(core: Core) -> tuple[Federation, Connections]:
    """Makes what signs in by other providers. Only the providers of enterprises are asked through a guard."""
    chosen, runtime, resolver = core.settings, core.runtime, Resolver()
    guarded = Outbound(resolver, inside=chosen.outbound_inside)
    client = Client(Outbound(resolver, inside=True), guarded, runtime.clock)
    connections = Connections(core.db, core.keyring, Domains(runtime.peers), client, guarded)
    federation = Federation(
        core.db,
        core.keyring,
        runtime.clock,
        providers.read(chosen.oidc_providers_file, chosen.public_url),
        connections,
        client,
        core.sign_ins,
        runtime.access,
        core.post,
    )
    return federation, connections

"""The identity service: `python -m services.identity.main`, with its settings in WRTN_* variables."""

from __future__ import annotations

from chassis import settings
from chassis.service import Parts, Runtime, run
from services.identity.settings import IdentitySettings
from services.identity.sign_in.passwords import Passwords
from services.identity.wiring import accounts, members, sign_in, staff, subjects
from services.identity.wiring.core import Core

PARTS = (members.parts, sign_in.parts, accounts.parts, staff.parts, subjects.parts)


def wire(runtime: Runtime[IdentitySettings], passwords: Passwords | None = None) -> Parts:
    """Makes the service of its parts. It resolves principals and keys itself, not by a call to itself."""
    core = Core(runtime, passwords or Passwords())
    made = [part(core) for part in PARTS]
    return Parts(
        servicers=[each for part in made for each in part.servicers],
        consumers=[each for part in made for each in part.consumers],
        jobs=[each for part in made for each in part.jobs],
        background=[each for part in made for each in part.background],
        principals_source=core.resolver.resolve,
        jwks_source=core.signer.jwks,
    )


if __name__ == "__main__":
    run("identity", settings.load(IdentitySettings), wire)

"""What several parts of the service stand on."""

from __future__ import annotations

from chassis.runtime import Runtime
from services.identity.accounts.reach import Reach
from services.identity.credentials.principals import Resolver
from services.identity.credentials.signing import Signer
from services.identity.credentials.standings import Standings
from services.identity.credentials.uses import LastUses
from services.identity.mail.post import Post
from services.identity.settings import IdentitySettings
from services.identity.sign_in.guesses import Guessing
from services.identity.sign_in.passwords import Passwords
from services.identity.sign_in.proofs import Proofs
from services.identity.sign_in.proving import PasswordCheck
from services.identity.sign_in.signing_in import SignIns


class Core:
    """Made once in a process; nothing in it connects or starts by being made."""

    def __init__(self, runtime: Runtime[IdentitySettings], passwords: Passwords) -> None:
        chosen, db, keyring = runtime.settings, runtime.db, runtime.keyring
        self.runtime = runtime
        self.settings = chosen
        self.db = db
        self.keyring = keyring
        self.cache = runtime.principals
        self.passwords = passwords
        self.post = Post(sender=chosen.mail_from, public_url=chosen.public_url)
        self.signer = Signer(db, keyring, runtime.clock)
        self.reach = Reach(db, runtime.access)
        self.uses = LastUses(db)
        self.standings = Standings(db, runtime.bus, runtime.peers)
        self.resolver = Resolver(db, self.uses, self.standings)
        self.party = chosen.passkey_party()
        self.guessing = Guessing(db, keyring)
        self.proofs = Proofs(db, keyring, passwords, self.guessing)
        self.check = PasswordCheck(db, passwords, self.guessing)
        self.sign_ins = SignIns(db, keyring, runtime.clock, passwords, self.signer, self.guessing, self.party)

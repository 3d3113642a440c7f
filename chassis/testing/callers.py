"""Callers for tests: an identity that signs real tokens with its own key and answers about them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import pytest
from joserfc.jwk import OKPKey

from chassis.access.principals import Bearer
from chassis.auth import api_keys, keys, tokens
from chassis.auth.api_keys import ApiKey
from chassis.auth.peers import PeerSigner
from chassis.auth.tokens import AccessToken
from chassis.clock import Clock
from wrtn.access.v1.access_pb2 import Duty, Role, StaffRight, Title
from wrtn.enterprise.v1.access_pb2 import Access, ResolveAccessRequest, TeamPlace, TeamRole
from wrtn.identity.v1.auth_pb2 import Jwks
from wrtn.identity.v1.principals_pb2 import Principal, ResolvePrincipalRequest

KID = "test-1"
SERVICES = ("identity", "enterprise", "sessions", "billing", "analytics", "gateway", "sample")

Metadata = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Known:
    """A caller with a valid token; give `metadata` to a stub."""

    token: AccessToken
    tenant_id: UUID | None
    bearer: str

    @property
    def metadata(self) -> Metadata:
        """The authorization metadata."""
        return (("authorization", f"Bearer {self.bearer}"),)

    @property
    def member_id(self) -> UUID:
        """The member; fails for a credential."""
        return _there(self.token.member_id)

    @property
    def account_id(self) -> UUID:
        """The acting account; fails for a credential."""
        return _there(self.token.account_id)

    @property
    def enterprise_id(self) -> UUID:
        """The tenant; fails for a platform-wide credential."""
        return _there(self.tenant_id)


@dataclass
class Callers:
    """Makes callers, and is the source of principals, access and keys that a served service asks."""

    clock: Clock
    peer_keys_dir: Path
    key: OKPKey = field(default_factory=lambda: OKPKey.generate_key("Ed25519"))
    asked: list[str] = field(default_factory=list)
    denied: set[str] = field(default_factory=set)
    """The resources that nobody may use; every other one may be."""
    readable: set[UUID] = field(default_factory=set)
    """The enterprises whose owners and managers may read content."""
    _principals: dict[Bearer, Principal] = field(default_factory=dict)
    _employees: dict[tuple[str, str], Access] = field(default_factory=dict)
    _teams: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)

    def member(
        self,
        *,
        tenant_id: UUID | None = None,
        staff: StaffRight.ValueType = StaffRight.STAFF_RIGHT_UNSPECIFIED,
    ) -> Known:
        """Makes a member; the acting account is a personal one unless a tenant is given."""
        token = AccessToken(self.clock.new_id(), self.clock.new_id(), self.clock.new_id())
        principal = Principal(active=True, tenant_id=str(tenant_id or token.account_id), staff_right=staff)
        return self._known(token, principal)

    def employee(
        self,
        enterprise_id: UUID,
        title: Title.ValueType,
        roles: Mapping[UUID, Role.ValueType] | None = None,
        duties: Iterable[Duty.ValueType] = (),
    ) -> Known:
        """Makes a member whose acting account is an employee's, with a role in each of these teams."""
        known = self.member(tenant_id=enterprise_id)
        teams = [TeamRole(team_id=str(team_id), role=role) for team_id, role in (roles or {}).items()]
        self._employees[str(enterprise_id), str(known.account_id)] = Access(
            employee_id=str(self.clock.new_id()),
            member_id=str(known.member_id),
            title=title,
            teams=teams,
            duties=duties,
        )
        return known

    def hire(self, enterprise_id: UUID, member_id: UUID, account_id: UUID, title: Title.ValueType) -> None:
        """Makes an employee of somebody whom another service knows."""
        self._employees[str(enterprise_id), str(account_id)] = Access(
            employee_id=str(self.clock.new_id()), member_id=str(member_id), title=title
        )

    def team(self, enterprise_id: UUID, *ancestors: UUID) -> UUID:
        """Makes a team below these, the nearest first, and answers its id."""
        team_id = self.clock.new_id()
        self._teams[str(enterprise_id), str(team_id)] = tuple(map(str, ancestors))
        return team_id

    def credential(self, *scopes: str, tenant_id: UUID | None = None) -> Known:
        """Makes a service credential, platform-wide unless a tenant is given."""
        principal = Principal(active=True, tenant_id=str(tenant_id or ""), scopes=scopes)
        return self._known(AccessToken(credential_id=self.clock.new_id()), principal)

    def api_key(self, member: Known, *scopes: str) -> Known:
        """Makes an API key of a member, by which their acting account acts."""
        token = AccessToken(member.member_id, self.clock.new_id(), member.account_id)
        principal = Principal(
            active=True,
            tenant_id=str(member.tenant_id or ""),
            staff_right=self._principals[member.token].staff_right,
            scopes=scopes,
            account_id=str(token.account_id),
            api_key_id=str(token.login_id),
        )
        self._principals[token] = principal
        return self._keyed(api_keys.of_member(member.member_id, self.clock), token, principal)

    def enterprise_key(self, enterprise_id: UUID, *scopes: str) -> Known:
        """Makes an API key of an enterprise."""
        token = AccessToken(credential_id=self.clock.new_id())
        principal = Principal(active=True, tenant_id=str(enterprise_id), scopes=scopes)
        self._principals[token] = principal
        return self._keyed(api_keys.of_enterprise(_there(token.credential_id), self.clock), token, principal)

    def peer(self, service: str, target: str) -> Metadata:
        """Answers the metadata of a call from one service to another."""
        signer = PeerSigner(service, self.private_key(service), self.clock)
        return (("authorization", f"Bearer {signer.token(target)}"),)

    def private_key(self, service: str) -> Path:
        """Answers the file with a service's own key."""
        return self.peer_keys_dir.parent / f"{service}.private.pem"

    def dismiss(self, known: Known) -> None:
        """Ends the employment of a caller, who still holds the account. Who has cached it is not told."""
        self._employees[str(known.enterprise_id), str(known.account_id)] = Access()

    def end(self, known: Known) -> None:
        """Ends what a caller may do. Whoever has cached it is not told."""
        for each in (known.token, api_keys.parsed(known.bearer)):
            if each is not None:
                self._principals[each] = Principal(active=False)

    async def principal(self, request: ResolvePrincipalRequest) -> Principal:
        """Answers as identity would."""
        self.asked.append("principal")
        return self._principals.get(_token(request), Principal(active=False))

    async def access(self, request: ResolveAccessRequest) -> Access:
        """Answers as enterprise would."""
        self.asked.append("access")
        access = Access()
        access.CopyFrom(self._employee(request))
        above = self._teams.get((request.enterprise_id, request.team_id))
        if above is not None:
            held = {each.team_id: each.role for each in access.teams}
            roles = [held[team] for team in (request.team_id, *above) if team in held]
            access.team.CopyFrom(
                TeamPlace(
                    team_id=request.team_id,
                    ancestor_ids=above,
                    role=max(roles, default=Role.ROLE_UNSPECIFIED),
                    companion=request.team_id in held,
                )
            )
        if access.title:
            access.granted = bool(request.resource) and request.resource not in self.denied
            access.content_readable = UUID(request.enterprise_id) in self.readable
        return access

    def inherited(self, heir: Known, account_id: UUID) -> Known:
        """Makes the caller that a member is who acts by an account of another, which they hold now."""
        token = AccessToken(heir.member_id, heir.token.login_id, account_id)
        tenant_id = heir.tenant_id if heir.tenant_id != heir.account_id else account_id
        return self._known(token, Principal(active=True, tenant_id=str(tenant_id)))

    def employee_of(self, known: Known) -> UUID | None:
        """Answers who a caller is in the enterprise in which they act; None in a personal account."""
        request = ResolveAccessRequest(enterprise_id=str(known.enterprise_id), member_id=str(known.member_id))
        found = self._employee(request).employee_id
        return UUID(found) if found else None

    async def jwks(self) -> Jwks:
        """Answers as identity would."""
        self.asked.append("jwks")
        return keys.published({KID: self.key})

    def _employee(self, request: ResolveAccessRequest) -> Access:
        if not request.member_id:
            return self._employees.get((request.enterprise_id, request.account_id), Access())
        ofs = (
            each
            for (enterprise_id, _), each in self._employees.items()
            if enterprise_id == request.enterprise_id
        )
        return next((each for each in ofs if each.member_id == request.member_id), Access())

    def _keyed(self, text: str, token: AccessToken, principal: Principal) -> Known:
        key = api_keys.parsed(text)
        if key is None:
            raise LookupError("no key was made")
        self._principals[key] = principal
        return Known(token, UUID(principal.tenant_id) if principal.tenant_id else None, text)

    def _known(self, token: AccessToken, principal: Principal) -> Known:
        self._principals[token] = principal
        bearer = tokens.issue(token, self.key, KID, self.clock)
        return Known(token, UUID(principal.tenant_id) if principal.tenant_id else None, bearer)


def _token(request: ResolvePrincipalRequest) -> Bearer:
    if request.HasField("api_key"):
        asked = request.api_key
        return ApiKey(UUID(asked.principal_id), asked.member, asked.key_hash)
    if request.HasField("credential_id"):
        return AccessToken(credential_id=UUID(request.credential_id))
    member = request.member
    return AccessToken(
        *(UUID(text) if text else None for text in (member.member_id, member.login_id, member.account_id))
    )


def _there(value: UUID | None) -> UUID:
    if value is None:
        raise LookupError("this caller has none")
    return value


@pytest.fixture(scope="session")
def peer_keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the public keys of all services; their private ones stand beside it."""
    folder = tmp_path_factory.mktemp("secrets") / "peers"
    folder.mkdir()
    for service in SERVICES:
        key = OKPKey.generate_key("Ed25519")
        (folder / f"{service}.pem").write_bytes(key.as_pem(private=False))
        (folder.parent / f"{service}.private.pem").write_bytes(key.as_pem(private=True))
    return folder


@pytest.fixture
def callers(clock: Clock, peer_keys: Path) -> Callers:
    """A fresh set of callers."""
    return Callers(clock, peer_keys)

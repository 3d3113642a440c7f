"""The enterprise of the replay: nested teams, and employees in them."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from tests.replay.people import Member
from tests.replay.rest import Rest

# Each team with the one above it.
TEAMS = {
    "Engineering": "",
    "Platform": "Engineering",
    "Databases": "Platform",
    "Product": "Engineering",
    "Sales": "",
    "Sales EMEA": "Sales",
}
# Each employee with their title, and their team and role in it; the first one founds the enterprise.
PEOPLE = [
    ("Olga Owner", "TITLE_OWNER", "", ""),
    ("Mario Manager", "TITLE_MANAGER", "", ""),
    ("Chie Chief", "TITLE_MEMBER", "Engineering", "ROLE_CHIEF"),
    ("Piet Platform", "TITLE_MEMBER", "Platform", "ROLE_CHIEF"),
    ("Dana Databases", "TITLE_MEMBER", "Databases", "ROLE_MEMBER"),
    ("Dai Databases", "TITLE_MEMBER", "Databases", "ROLE_MANAGER"),
    ("Priya Product", "TITLE_MEMBER", "Product", "ROLE_MEMBER"),
    ("Salome Sales", "TITLE_MEMBER", "Sales", "ROLE_CHIEF"),
    ("Emil Emea", "TITLE_MEMBER", "Sales EMEA", "ROLE_MEMBER"),
    ("Erin Emea", "TITLE_MEMBER", "Sales EMEA", "ROLE_MEMBER"),
]


@dataclass
class Employee:
    """A member at work: their account of the enterprise acts for them."""

    member: Member
    id: str
    team_id: str
    team_ids: tuple[str, ...]
    """The team and all above it: those in whose usage theirs is contained."""


@dataclass
class World:
    """What the replay built."""

    enterprise_id: str
    employees: list[Employee]
    team_names: dict[str, str]
    credential_id: str
    secret: str

    @property
    def owner(self) -> Member:
        """The founder, who sees everything."""
        return self.employees[0].member


async def build(rest: Rest, mail: str, run: uuid.UUID, secret: str | None, credential: str | None) -> World:
    """Builds the enterprise, or finds it again: every step carries a key of this run.

    The secret of the credential is shown once, so the caller keeps it and gives it again.
    """
    members = [
        Member(f"{name.lower().replace(' ', '.')}.{run.hex[:12]}@example.com", f"{run.hex}-{place}", name)
        for place, (name, *_) in enumerate(PEOPLE)
    ]
    await asyncio.gather(*(member.join(rest, mail, f"{run}/{member.email}") for member in members))
    enterprise_id, founder_id = await _found(rest, members[0], run)
    teams = await _teams(rest, members[0], enterprise_id, run)
    above = {teams[name]: teams.get(parent, "") for name, parent in TEAMS.items()}
    employees = [Employee(members[0], founder_id, "", ())]
    for member, (_, title, team, role) in zip(members[1:], PEOPLE[1:], strict=True):
        employee_id = await _hire(rest, members[0], enterprise_id, member, title, run)
        team_id = teams.get(team, "")
        if team_id:
            body = {"employeeId": employee_id, "role": role, "reason": "The replay needs them there."}
            path = f"/v1/enterprises/{enterprise_id}/teams/{team_id}/companions"
            await _post(rest, members[0], path, f"{run}/companion/{member.email}", body)
        employees.append(Employee(member, employee_id, team_id, _line(team_id, above)))
    if not (secret and credential):
        credential, secret = await _credential(rest, members[0], enterprise_id)
    return World(
        enterprise_id, employees, {team_id: name for name, team_id in teams.items()}, credential, secret
    )


async def _found(rest: Rest, owner: Member, run: uuid.UUID) -> tuple[str, str]:
    body = {
        "displayName": f"Replay {run.hex[:8]}",
        "slug": f"replay-{run.hex[:16]}",
        "timeZone": "Asia/Seoul",
    }
    made = await _post(rest, owner, "/v1/enterprises", f"{run}/enterprise", body)
    await owner.act(rest, str(made["accountId"]))
    enterprise = made["enterprise"]
    assert isinstance(enterprise, dict)
    return enterprise["id"], str(made["employeeId"])


async def _teams(rest: Rest, owner: Member, enterprise_id: str, run: uuid.UUID) -> dict[str, str]:
    teams: dict[str, str] = {}
    for name, parent in TEAMS.items():
        body = {"displayName": name} | ({"parentTeamId": teams[parent]} if parent else {})
        path = f"/v1/enterprises/{enterprise_id}/teams"
        teams[name] = str((await _post(rest, owner, path, f"{run}/team/{name}", body))["id"])
    return teams


async def _hire(
    rest: Rest, owner: Member, enterprise_id: str, member: Member, title: str, run: uuid.UUID
) -> str:
    body = {"memberId": member.id, "title": title}
    path = f"/v1/enterprises/{enterprise_id}/employees"
    employee = await _post(rest, owner, path, f"{run}/hire/{member.email}", body)
    await member.act(rest, str(employee["accountId"]))
    return str(employee["id"])


async def _credential(rest: Rest, owner: Member, enterprise_id: str) -> tuple[str, str]:
    body = {"displayName": "replay", "scopes": ["sessions.record"]}
    made = await _post(rest, owner, f"/v1/enterprises/{enterprise_id}/serviceCredentials", None, body)
    credential = made["credential"]
    assert isinstance(credential, dict)
    return credential["id"], str(made["secret"])


async def _post(
    rest: Rest, who: Member, path: str, key: str | None, body: Mapping[str, object]
) -> dict[str, object]:
    answer = await rest.call("POST", path, token=who.access_token, key=key, body=body)
    assert isinstance(answer, dict)
    return answer


def _line(team_id: str, above: dict[str, str]) -> tuple[str, ...]:
    """A team and all above it, the nearest first."""
    return (team_id, *_line(above[team_id], above)) if team_id else ()

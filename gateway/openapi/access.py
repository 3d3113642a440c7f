"""Access rules (`wrtn.access.v1.rule`) in words; protos without them say nothing of access."""

from __future__ import annotations

from typing import Any

RULE = "wrtn.access.v1.rule"


def needs_credential(rule: Any) -> bool:
    """Whether nobody is admitted without a credential."""
    return not rule.anyone


def sentences(rule: Any) -> list[str]:
    """Says who may call, in the order of the rule's fields."""
    admitted: list[str] = []
    if rule.anyone:
        admitted.append("anyone")
    if rule.member:
        admitted.append("any signed-in member")
    if int(rule.staff):
        admitted.append(f"staff, at least {_word(rule, 'staff')}")
    if rule.service_scope:
        admitted.append(f"service credentials and enterprise API keys with the scope `{rule.service_scope}`")
    if rule.peer:
        admitted.append("other services of the suite")
    if rule.enterprise is not None:
        admitted.append(_enterprise(rule.enterprise))
    said = [f"**Access:** {'; '.join(admitted)}."] if admitted else []
    if rule.interactive:
        said.append("A member must have signed in: no API key of theirs passes.")
    return said + ([rule.decided] if rule.decided else [])


def _enterprise(rule: Any) -> str:
    named = (
        f"the enterprise named by `{rule.enterprise_field}`" if rule.enterprise_field else "the enterprise"
    )
    ways: list[str] = []
    if int(rule.title):
        duty = f" (or manager with the duty {_word(rule, 'duty')})" if int(rule.duty) else ""
        ways.append(f"the title of at least {_word(rule, 'title')}{duty}")
    if int(rule.role):
        where = f"the team named by `{rule.team_field}`" if rule.team_field else "the team"
        ways.append(f"the role of at least {_word(rule, 'role')} in {where} or one above it")
    return f"employees of {named}" + (f" who hold {', or '.join(ways)}" if ways else "")


def _word(rule: Any, name: str) -> str:
    """Spells an enum value without the prefix that its type gives it: STAFF_RIGHT_MODERATOR, moderator."""
    field = next(each for each in type(rule).desc().fields if each.name == name)
    enum = field.value.enum
    value = next((each.name for each in enum.values if each.number == int(getattr(rule, name))), "")
    prefix = "".join("_" + each if each.isupper() else each.upper() for each in enum.name).lstrip("_") + "_"
    return str(value.removeprefix(prefix).lower().replace("_", " "))

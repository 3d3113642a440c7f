"""The access rules, read from the descriptors of the services that a process serves."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any

from google.protobuf import descriptor_pool
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor, ServiceDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions

from chassis.access.scopes import SCOPES
from wrtn.access.v1 import access_pb2
from wrtn.access.v1.access_pb2 import Rule

ReadField = Callable[[Any], str]


class RulesError(Exception):
    """A method declares no access rule, or one that cannot be enforced. The service does not start."""


@dataclass(frozen=True, slots=True)
class MethodRule:
    """The rule of one method, ready to be enforced."""

    method: str
    """The full path, "/wrtn.identity.v1.AuthService/SignIn"."""
    rule: Rule
    reads: bool = False
    """Whether the method has no side effects, so that a key with the scope "read" suffices."""
    enterprise_of: ReadField | None = None
    team_of: ReadField | None = None

    @property
    def fresh(self) -> bool:
        """Whether who calls is judged by what is true at this moment, and not from the caches."""
        return self.rule.interactive and not self.reads


def rules_of(services: Iterable[str]) -> dict[str, MethodRule]:
    """Answers the rule of each method, by path; raises RulesError that names each method without one."""
    pool = descriptor_pool.Default()
    rules: dict[str, MethodRule] = {}
    problems: list[str] = []
    for name in services:
        service: ServiceDescriptor = pool.FindServiceByName(name)
        for method in service.methods:
            found = _rule_of(method)
            if isinstance(found, str):
                problems.append(f"{method.full_name} {found}")
            else:
                rules[found.method] = found
    if problems:
        raise RulesError("; ".join(problems))
    return rules


def _rule_of(method: MethodDescriptor) -> MethodRule | str:
    options = method.GetOptions()
    if not options.HasExtension(access_pb2.rule):
        return "declares no access rule"
    rule: Rule = options.Extensions[access_pb2.rule]
    if not (
        rule.anyone
        or rule.member
        or rule.staff
        or rule.service_scope
        or rule.peer
        or rule.HasField("enterprise")
    ):
        return "has a rule that admits nobody"
    if rule.at_work and not rule.member:
        return "has a rule that narrows `member` and does not admit any"
    if rule.service_scope and rule.service_scope not in SCOPES:
        return (
            f"has a rule with the scope {rule.service_scope}, which wrtn.access.v1 ServiceScope does not list"
        )
    path = f"/{method.containing_service.full_name}/{method.name}"
    reads = method.GetOptions().idempotency_level == MethodOptions.NO_SIDE_EFFECTS
    return _with_fields(MethodRule(path, rule, reads), method)


def _with_fields(found: MethodRule, method: MethodDescriptor) -> MethodRule | str:
    """Finds the request fields that an enterprise rule names."""
    rule = found.rule.enterprise
    if rule.role and not rule.team_field:
        return "has a rule with a role but no team"
    if rule.duty and rule.title != access_pb2.TITLE_OWNER:
        return "has a rule with a duty that does not ask for an owner"
    names = [name for name in (rule.enterprise_field, rule.team_field) if name]
    if names and method.client_streaming:
        return "streams its requests, so its rule can name no request field"
    for name in names:
        if not _is_text(method.input_type, name):
            return f"has a rule that names the request field {name}, which is no string"
    return replace(
        found,
        enterprise_of=attrgetter(rule.enterprise_field) if rule.enterprise_field else None,
        team_of=attrgetter(rule.team_field) if rule.team_field else None,
    )


def _is_text(message: Descriptor | None, path: str) -> bool:
    first, _, rest = path.partition(".")
    field: FieldDescriptor | None = message.fields_by_name.get(first) if message is not None else None
    if field is None or field.is_repeated:
        return False
    return _is_text(field.message_type, rest) if rest else field.type == FieldDescriptor.TYPE_STRING

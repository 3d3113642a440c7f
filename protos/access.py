"""Writes the published table of who may call what, from the contracts: `python -m protos.access`.

A test compares docs/access.md with what this writes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from google.api import annotations_pb2
from google.protobuf import descriptor_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorSet, MethodDescriptorProto

from protos.build import OUT, ROOT
from wrtn.access.v1.access_pb2 import Duty, EnterpriseRule, Role, Rule, StaffRight, Title, rule

PAGE = ROOT / "docs" / "access.md"

_HEAD = """# Who may call what

Written from the access rules in `protos/` when these change (`make protos`, `make access`); do not edit. A
caller for whom any one column holds is admitted; the last column says what the use case decides beyond that,
and only ever narrows it. What a caller may not see is NOT_FOUND, as if it did not exist.

- **Member**: signed in, whichever account is acting. With `signed in`, no API key of theirs passes.
- **Employee**: acting by an account of the enterprise that the request names, with at least the title, or at
  least the role in the team that it names or in one above it. A manager with the duty passes for an owner.
- **Staff**: with at least the right. An administrator is also a moderator.
- **Credential**: a service credential or an API key of an enterprise, with the scope.
- **Peer**: another service of the suite. What has no path cannot be reached from outside.
"""
_COLUMNS = (
    "| call | path | anyone | member | employee | staff | credential | peer | decided by the use case |"
)


def page(descriptors: FileDescriptorSet) -> str:
    """Answers the page of all services of the set, in the order of their names."""
    parts = [_HEAD]
    for name, methods in sorted(_services(descriptors)):
        lines = [_COLUMNS, "|" + " --- |" * (_COLUMNS.count("|") - 1), *map(_line, methods)]
        parts.append(f"## {name}\n\n" + "\n".join(lines) + "\n")
    return "\n".join(parts)


def _services(descriptors: FileDescriptorSet) -> Iterator[tuple[str, list[MethodDescriptorProto]]]:
    for file in descriptors.file:
        for service in file.service:
            yield f"{file.package.removeprefix('wrtn.')} {service.name}", list(service.method)


def _line(method: MethodDescriptorProto) -> str:
    found: Rule = method.options.Extensions[rule]
    member = "signed in" if found.member and found.interactive else _yes(found.member)
    if found.at_work:
        member = "at work"
    staff = _word(StaffRight.Name(found.staff), "STAFF_RIGHT_") if found.staff else ""
    cells = (
        method.name,
        _path(method),
        _yes(found.anyone),
        member,
        _employee(found.enterprise) if found.HasField("enterprise") else "",
        staff + (", signed in" if staff and found.interactive else ""),
        f"`{found.service_scope}`" if found.service_scope else "",
        _yes(found.peer),
        found.decided.replace("|", "\\|"),
    )
    return f"| {' | '.join(cells)} |"


def _path(method: MethodDescriptorProto) -> str:
    """Answers the first path by which the method is reached; none for what is internal."""
    if not method.options.HasExtension(annotations_pb2.http):
        return ""
    found = method.options.Extensions[annotations_pb2.http]
    verb = str(found.WhichOneof("pattern"))
    if verb == "custom":
        return f"`{found.custom.kind} {found.custom.path}`"
    return f"`{verb.upper()} {getattr(found, verb)}`"


def _employee(found: EnterpriseRule) -> str:
    ways = []
    if found.title:
        ways.append(_word(Title.Name(found.title), "TITLE_"))
    if found.duty:
        ways.append(f"manager with {_word(Duty.Name(found.duty), 'DUTY_')}")
    if found.role:
        ways.append(f"{_word(Role.Name(found.role), 'ROLE_')} of the team")
    return " or ".join(ways) or "yes"


def _word(name: str, prefix: str) -> str:
    return name.removeprefix(prefix).lower().replace("_", " ")


def _yes(holds: bool) -> str:
    return "yes" if holds else ""


def read(path: Path = OUT / "descriptors.binpb") -> FileDescriptorSet:
    """Reads the descriptor set that the build leaves."""
    return descriptor_pb2.FileDescriptorSet.FromString(path.read_bytes())


if __name__ == "__main__":
    PAGE.write_text(page(read()))

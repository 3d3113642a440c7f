"""The README leaves out no table, state, event or setting: each is named as the code names it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields
from enum import StrEnum
from pathlib import Path

import pytest

from chassis.settings import PREFIX, ServiceSettings
from services import identity
from services.identity.models import FactorState, MailState, MemberState, TransferState
from services.identity.models.base import Base
from services.identity.settings import AdminSettings, IdentitySettings
from wrtn.events.v1.events_pb2 import subject
from wrtn.identity.v1 import events_pb2

TEXT = (Path(identity.__file__).parent / "README.md").read_text()
STATES: tuple[type[StrEnum], ...] = (MemberState, FactorState, MailState, TransferState)


def section(title: str) -> str:
    """Answers one section of the page."""
    return TEXT.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def named() -> Iterator[tuple[str, str]]:
    """Answers every name, with the section in which it has to stand."""
    for table in Base.metadata.tables:
        yield "Whose rows", table.removeprefix("wrtn_")
    for message in events_pb2.DESCRIPTOR.message_types_by_name.values():
        yield "Events", message.GetOptions().Extensions[subject]
    for states in STATES:
        yield from (("States", state.value) for state in states)
    shared = {each.name for each in fields(ServiceSettings)}
    for each in (*fields(IdentitySettings), *fields(AdminSettings)):
        if each.name not in shared:
            yield "Running it", f"{PREFIX}{each.name.upper()}"


@pytest.mark.parametrize(("title", "name"), sorted(set(named())))
def test_the_page_names_it(title: str, name: str) -> None:
    found = re.search(rf"(?<![\w.]){re.escape(name)}(?![\w.]\w)", section(title))
    assert found, f"{name} is not under {title}"

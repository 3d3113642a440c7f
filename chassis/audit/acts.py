"""What is said of one act: the action, its object, who did it in which call. Pure values, no database."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from uuid import UUID

from chassis import telemetry
from chassis.call import ANONYMOUS, Caller, current_or_none

PLATFORM = UUID(int=0)
"""The tenant of acts that concern the whole platform."""

SYSTEM = "system"
"""The kind of an actor who is no caller: a job, a consumer of events, the command line."""

Detail = UUID | int | Enum | str | None
"""Ids, numbers and enums stay in plain text; a text is taken for personal and is encrypted."""

_MAX_SEALED = 16 * 1024


class Unaudited(Exception):
    """A right as staff did what no audit entry tells of: a defect. Its answer is withheld."""


@dataclass(frozen=True, slots=True)
class Act:
    """One act, before its private part is sealed."""

    id: UUID
    tenant_id: UUID
    action: str
    target_id: UUID | None
    time: datetime
    kind: str
    caller: Caller
    method: str
    request_id: str
    trace_id: str
    details: Mapping[str, str | int | bool]
    """What may stand in plain text."""
    private: Mapping[str, str]
    """The reason, the client's address and texts; empty if there are none."""

    def plain_text(self) -> bytes:
        """Answers the private part as it is encrypted. Raises ValueError above 16 KiB."""
        text = json.dumps(self.private, ensure_ascii=False, sort_keys=True).encode()
        if len(text) > _MAX_SEALED:
            raise ValueError(f"the audit entry {self.action} carries {len(text)} bytes of text")
        return text


def act_of(
    entry_id: UUID,
    time: datetime,
    action: str,
    *,
    tenant_id: UUID,
    target_id: UUID | None,
    reason: str,
    details: Mapping[str, Detail],
) -> Act:
    """Describes an act of the current call's caller, or of the system outside of any call."""
    call = current_or_none()
    caller = call.caller if call else ANONYMOUS
    told = {name: value for name, value in details.items() if value is not None}
    private = {name: value for name, value in told.items() if type(value) is str}
    private |= {"reason": reason} if reason else {}
    private |= {"client_address": call.address} if call and call.address else {}
    return Act(
        entry_id,
        tenant_id,
        action,
        target_id,
        time,
        caller.kind.value if call else SYSTEM,
        caller,
        call.method if call else "",
        call.request_id if call else "",
        telemetry.trace_id(),
        {name: _plain(value) for name, value in told.items() if type(value) is not str},
        private,
    )


def _plain(value: Detail) -> str | int | bool:
    if isinstance(value, Enum):
        return value.name
    return value if isinstance(value, int) else str(value)

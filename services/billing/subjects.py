"""What billing holds about a member: ids, tokens and costs, which are kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from chassis.runtime import Runtime
from chassis.subjects import Listing, Subject, SubjectRpc

KEPT = {"usages, costs and ledger entries": "books are kept by law; they hold ids alone"}

_USAGES = """
SELECT history_id AS id, tenant_id, chat_session_id, account_id, team_id, model, input_tokens,
    cached_input_tokens, output_tokens, reasoning_tokens, cost, currency, charge,
    charge_currency, use_time
FROM wrtn_usages WHERE member_id = %(member)s AND history_id > %(after)s ORDER BY history_id LIMIT %(page)s
"""


def documents(subject: Subject) -> Iterator[Listing]:
    """Answers the listings of a subject."""
    yield Listing("usages", subject.everything, _USAGES, {"member": subject.member_id})


def rpc(runtime: Runtime[Any]) -> SubjectRpc:
    """Answers the servicer."""
    return SubjectRpc(runtime, documents, kept=KEPT)

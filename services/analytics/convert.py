"""Sums to protos."""

from __future__ import annotations

from chassis import timestamps
from chassis.decimals import text
from services.analytics.queries import MOST_ROWS, Counts, Row
from services.analytics.stretches import Division
from services.analytics.usage import Answer
from wrtn.analytics.v1.usage_pb2 import QueryUsageResponse, UsageRow
from wrtn.sessions.v1.token_usage_pb2 import TokenUsage, TokenUsageInput, TokenUsageOutput


def usage(answer: Answer, division: Division) -> QueryUsageResponse:
    """Builds the response of a query."""
    divided = division is not Division.WHOLE
    return QueryUsageResponse(
        total=_row(answer.total),
        rows=[_keyed(row, divided=divided) for row in answer.rows[:MOST_ROWS]],
        truncated=len(answer.rows) > MOST_ROWS,
    )


def _keyed(row: Row, *, divided: bool) -> UsageRow:
    found = _row(row.counts)
    found.key = row.key
    if divided:
        found.start_time.CopyFrom(timestamps.of(row.bucket.begin))
    return found


def _row(counts: Counts) -> UsageRow:
    return UsageRow(
        usage_count=counts.usage_count,
        rated_count=counts.rated_count,
        cost=text(counts.cost),
        tokens=TokenUsage(
            total=counts.input_tokens + counts.output_tokens,
            input=TokenUsageInput(total=counts.input_tokens, cached=counts.cached_input_tokens),
            output=TokenUsageOutput(
                total=counts.output_tokens,
                reasoning=counts.reasoning_tokens,
                accepted_prediction=counts.accepted_prediction_tokens,
                rejected_prediction=counts.rejected_prediction_tokens,
            ),
        ),
    )

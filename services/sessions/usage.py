"""Token counts: the product's usage shape as whole numbers that can be stored and summed."""

from __future__ import annotations

from typing import NamedTuple

from wrtn.sessions.v1.token_usage_pb2 import TokenUsage, TokenUsageInput, TokenUsageOutput


class Counts(NamedTuple):
    """The six numbers of which the others follow, in the order of the columns."""

    input_total: int
    input_cached: int
    output_total: int
    output_reasoning: int
    output_accepted_prediction: int
    output_rejected_prediction: int


def counts_of(usage: TokenUsage) -> Counts:
    """Reads a validated usage; its numbers are whole."""
    read, wrote = usage.input, usage.output
    return Counts(
        int(read.total),
        int(read.cached),
        int(wrote.total),
        int(wrote.reasoning),
        int(wrote.accepted_prediction),
        int(wrote.rejected_prediction),
    )


def usage_of(counts: Counts) -> TokenUsage:
    """Answers the usage with every part set, zeros included."""
    return TokenUsage(
        total=counts.input_total + counts.output_total,
        input=TokenUsageInput(total=counts.input_total, cached=counts.input_cached),
        output=TokenUsageOutput(
            total=counts.output_total,
            reasoning=counts.output_reasoning,
            accepted_prediction=counts.output_accepted_prediction,
            rejected_prediction=counts.output_rejected_prediction,
        ),
    )

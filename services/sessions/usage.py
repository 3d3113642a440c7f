"""Token counts: the product's usage shape as whole numbers that can be stored and summed."""

from __future__ import annotations

from typing import NamedTuple

from wrtn.sessions.v1.token_usage_pb2 import TokenUsage, TokenUsageInput, TokenUsageOutput, UsageUnits


class Counts(NamedTuple):
    """The six numbers of which the others follow, in the order of the columns."""

    input_total: int
    input_cached: int
    output_total: int
    output_reasoning: int
    output_accepted_prediction: int
    output_rejected_prediction: int


class Units(NamedTuple):
    """What else a history used, in the order of the columns."""

    cache_write_tokens: int
    requests: int
    images: int
    seconds: int


NONE_USED = Counts(0, 0, 0, 0, 0, 0)


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


def units_of(units: UsageUnits) -> Units:
    """Reads validated units."""
    return Units(units.cache_write_tokens, units.requests, units.images, units.seconds)


def units_shown(units: Units) -> UsageUnits:
    """Answers the units as they were sent."""
    return UsageUnits(**units._asdict())

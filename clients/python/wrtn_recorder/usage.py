"""Token usage, as the product counts it."""

from __future__ import annotations

from wrtn.sessions.v1.token_usage_pb2 import TokenUsage, TokenUsageInput, TokenUsageOutput


def token_usage(
    *,
    read: int = 0,
    cached: int = 0,
    wrote: int = 0,
    reasoning: int = 0,
    accepted_prediction: int = 0,
    rejected_prediction: int = 0,
) -> TokenUsage:
    """Answers a usage of which only what is not zero need be named; the totals are computed.

    `read` are all input tokens, `cached` those of them that came from a cache; `wrote` are all output tokens.
    """
    output = TokenUsageOutput(
        total=wrote,
        reasoning=reasoning,
        accepted_prediction=accepted_prediction,
        rejected_prediction=rejected_prediction,
    )
    return TokenUsage(total=read + wrote, input=TokenUsageInput(total=read, cached=cached), output=output)

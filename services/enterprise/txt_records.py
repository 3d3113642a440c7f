"""The text record in the DNS by which an enterprise proves that a domain is its own. Pure."""

from __future__ import annotations


def name(domain: str) -> str:
    """Answers where the record is looked for, before the domain itself is."""
    return f"_wrtn.{domain}"


def text(token: str) -> str:
    """Answers what the record holds."""
    return f"wrtn-verification={token}"

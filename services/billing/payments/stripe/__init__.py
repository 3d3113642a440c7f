"""Stripe: cards, over its HTTP API."""

"""Billing: prices, the rating of usage, costs and the ledger."""

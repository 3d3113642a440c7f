"""Accounts: their codes, who holds them, and how they are handed over."""

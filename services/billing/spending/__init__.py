"""Budgets, and what is reserved of them before it is spent."""

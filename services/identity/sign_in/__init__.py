"""Signing in: passwords, guessing, the second step, and proving again who one is."""

"""Signing in by other providers of identities, those of enterprises included."""

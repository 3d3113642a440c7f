"""Domains: their names, their proofs, and whether those still stand."""

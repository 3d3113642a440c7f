"""Kills every process of a running suite again and again, and reconciles."""

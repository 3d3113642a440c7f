"""Plays recorded conversations into a running suite, over its public interfaces alone, and reconciles."""

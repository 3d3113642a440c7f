"""Invitations, and the addresses that they go to."""

"""Enterprises: how they come to be, change, are suspended and closed."""

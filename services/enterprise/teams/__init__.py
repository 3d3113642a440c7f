"""The tree of teams, the order of siblings, and its record."""

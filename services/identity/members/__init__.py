"""Members: who they are, their addresses, and what holds them back."""

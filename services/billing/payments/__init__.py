"""How tenants pay, and what happens if they do not."""

"""Employees and companions: who is appointed, deputised for and dismissed, and by whom."""

"""Who did what to what, kept so that nobody can change it unseen: `tx.audit(...)`."""

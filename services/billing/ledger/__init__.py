"""The double-entry ledger, and whether it agrees with the other books."""

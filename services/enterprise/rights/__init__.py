"""What accounts may do and use, why, and who may change it."""

"""What was used, once, and its sums."""

"""Who looks after the suite, and what they read."""

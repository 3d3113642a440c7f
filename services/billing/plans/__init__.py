"""Plans, subscriptions to them, and their fees."""

"""Analytics: usage over time, in rollups."""

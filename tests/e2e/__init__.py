"""End to end: the whole suite as processes, used as its users use it."""

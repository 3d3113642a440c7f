"""Credits: how they come, burn, expire and are told of."""

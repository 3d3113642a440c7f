"""What acts besides people: API keys, service credentials, and what every principal may do."""

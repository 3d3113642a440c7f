"""Fixtures and factories for tests against the real thing: PostgreSQL, NATS, gRPC in process."""

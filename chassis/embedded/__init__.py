"""PostgreSQL and NATS out of wheels, as child processes: for one machine and for tests."""

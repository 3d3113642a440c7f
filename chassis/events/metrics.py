"""Prometheus metrics of the relay and the consumers."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

RELAYED = Counter("wrtn_relay_published_total", "Events stored in the stream", ["service"])
RESENDS = Counter("wrtn_relay_resends_total", "Times the whole outbox was set to be sent again", ["service"])
BACKLOG = Gauge("wrtn_relay_backlog", "Committed events that are not yet sent", ["service"])
AGE = Gauge("wrtn_relay_oldest_seconds", "Age of the oldest event that is not yet sent", ["service"])
APPLIED = Counter("wrtn_consumer_applied_total", "Events whose effect was committed", ["consumer"])
REPEATED = Counter("wrtn_consumer_repeated_total", "Deliveries that had been applied before", ["consumer"])
FAILED = Counter("wrtn_consumer_failures_total", "Completed failures of single events", ["consumer"])
DEAD = Counter("wrtn_consumer_dead_total", "Events given to the dead letters", ["consumer"])
STALLS = Counter("wrtn_consumer_stalls_total", "Pull requests found lost", ["consumer"])

"""Facts between services: committed to the outbox, relayed to JetStream, consumed once by inbox.

A change and its event are one commit (`outbox`); the `relay` publishes what was committed over the
`bus`; a `consumer` takes the effect and the inbox row in one commit. So redelivery, duplication and
reordering change nothing, and PostgreSQL alone is the truth: a lost stream is published again.
Modules are imported by name; nothing is re-exported here, since the database imports `outbox`.
"""

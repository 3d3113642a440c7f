"""The pytest plugin with all fixtures; the conftest at the root of the tests loads it."""

pytest_plugins = [
    "chassis.testing.databases",
    "chassis.testing.brokers",
    "chassis.testing.callers",
    "chassis.testing.logs",
    "chassis.testing.names",
    "chassis.testing.serving",
]

"""Loads the fixtures of the chassis for all tests."""

pytest_plugins = ["chassis.testing.fixtures"]

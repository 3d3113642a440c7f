"""Logins: opened, refreshed, ended; the devices they know, and what enterprises ask of them."""

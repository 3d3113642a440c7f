"""A generic REST gateway in front of annotated gRPC services: see README.md."""

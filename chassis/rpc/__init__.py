"""Serving and calling gRPC: the interceptor, the server, and the channels to peers."""

"""The servicers: request, one call, response. A file a service of the proto."""

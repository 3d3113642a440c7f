"""The servicers: request to one call to response. A file a service of the proto."""

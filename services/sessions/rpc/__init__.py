"""The servicers: request, one call, response."""

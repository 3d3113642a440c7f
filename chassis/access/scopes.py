"""The scopes of service credentials and of enterprises' API keys, as the proto ServiceScope lists them."""

from __future__ import annotations

from wrtn.access.v1 import access_pb2
from wrtn.access.v1.access_pb2 import ServiceScope

SCOPES = tuple(
    value.GetOptions().Extensions[access_pb2.scope]
    for value in ServiceScope.DESCRIPTOR.values
    if value.number
)
"""Every scope, in the order of the proto."""

"""The services of both kinds of sessions: one implementation, bound to the names of each."""

from services.sessions.rpc.sessions.chat import ChatSessionRpc
from services.sessions.rpc.sessions.procedure import ProcedureSessionRpc

__all__ = ["ChatSessionRpc", "ProcedureSessionRpc"]

"""Files of sessions: declared, uploaded in pieces, looked at, handed out, and cleared away."""

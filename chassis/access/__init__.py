"""Who may call what: the rules that the protos declare, and what the callers are at this moment."""

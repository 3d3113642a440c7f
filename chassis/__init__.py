"""What every service stands on: settings, lifecycle, database, events, access and RPC."""

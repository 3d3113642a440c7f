"""Who is calling: access tokens of members and service credentials, and tokens of peer services."""

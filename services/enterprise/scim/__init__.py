"""SCIM 2.0 (RFC 7643, RFC 7644): users are employees, groups are teams."""

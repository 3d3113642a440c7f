"""OpenID Connect as a relying party: providers, their configuration and keys, codes and ID tokens."""

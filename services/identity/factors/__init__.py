"""The ways to sign in besides the password: authenticator apps, recovery codes, passkeys."""

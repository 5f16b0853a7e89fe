"""The second factor: codes of an authenticator app (RFC 6238), recovery codes, and to show again who one is."""

"""Tokens for services (OAuth 2.0 client credentials, RFC 6749 section 4.4, in our JSON)."""

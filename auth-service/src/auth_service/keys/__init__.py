"""Signing keys: their storage, their publication, and the tokens that they sign."""

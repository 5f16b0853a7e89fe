"""Profiles: who a person is, beyond the account."""

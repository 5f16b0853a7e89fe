"""Accounts and log-in sessions."""

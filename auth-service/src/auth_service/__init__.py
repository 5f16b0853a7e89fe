"""auth-service: accounts, log-in sessions, tokens and the keys that sign them."""

"""Questions of a session: generated ones and one's own."""

"""Interview sessions."""

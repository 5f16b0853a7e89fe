"""Collections of questions across sessions."""

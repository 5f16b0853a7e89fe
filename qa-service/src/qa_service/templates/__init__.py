"""Templates: saved recipes of sessions, one's own or handed on by a link."""

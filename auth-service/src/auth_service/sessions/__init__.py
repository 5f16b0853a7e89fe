"""Log-in sessions: opened by a log-in, kept alive by refreshes, ended by owner, time or a thief's mistake."""

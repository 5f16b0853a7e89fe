"""Backup and restore of the suite's databases and files. See docs/backup.md."""

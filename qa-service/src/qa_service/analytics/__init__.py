"""Projections of the event log."""

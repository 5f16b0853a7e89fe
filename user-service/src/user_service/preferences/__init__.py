"""Preferences: which letters and notifications a person wants, and in which format they take their files away."""

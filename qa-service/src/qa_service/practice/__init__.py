"""Practising: drafts, attempts at an answer, and what they score."""

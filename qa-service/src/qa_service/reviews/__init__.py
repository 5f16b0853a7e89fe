"""The review queue: spaced repetition of questions."""

"""Making questions with a language model."""

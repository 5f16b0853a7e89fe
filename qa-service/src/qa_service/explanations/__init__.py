"""Deeper explanations of questions, made by a language model."""

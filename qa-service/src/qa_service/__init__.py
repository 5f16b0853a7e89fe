"""qa-service: interview sessions, their questions, the generation of questions, and analytics."""

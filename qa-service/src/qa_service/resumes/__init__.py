"""Résumés: a person's file goes straight to S3; its text is kept, the file is not."""

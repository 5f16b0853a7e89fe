"""Avatars: a picture of a person, which goes from their client straight to S3."""

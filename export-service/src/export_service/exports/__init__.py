"""Exports: the job, the file, the signed URL."""
